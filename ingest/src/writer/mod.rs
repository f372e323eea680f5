//! w
/// i
#[derive(Debug)]
pub enum Inner {}
