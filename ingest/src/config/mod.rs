//! Configuration: what was written (`cauce.toml`, a Flume `twitter.conf`, the environment, flags) becomes one checked
//! [`Settings`]. Reading and checking are pure: nothing is connected to and nothing is made on disk here.

pub mod settings;

pub use settings::Settings;
