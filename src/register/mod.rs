//! `systems.toml`: what people declare. Parsed here, turned into one entry per item; nothing here judges it.

mod fields;
mod file;
mod items;
mod remarks;
mod selector;

pub use file::{Register, RegisterError};
pub use items::evidence;
pub use remarks::Remark;
pub use selector::Selector;
