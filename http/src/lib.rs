//! What the agent and the simulator share of HTTP: a server with bounded connections, and OAuth 1.0a signatures.

pub mod oauth;
pub mod serve;
