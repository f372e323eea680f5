//! Configuration
mod knobs;
mod layers;
mod outside;
mod problem;
mod secrets;
pub mod settings;
mod toml_file;
mod units;
pub use outside::Outside;
pub use problem::ConfigError;
pub use settings::Settings;
