//! What is going on: numbers, health and logs. Steps write here; nothing here reaches back into a step.

pub mod metrics;

pub use metrics::Metrics;
