//! writer
/// Inner
#[derive(Debug)]
pub enum Inner {}
