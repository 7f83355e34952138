//! `systems.toml`: what people declare. Parsed here, turned into one entry per item; nothing here judges it.

mod file;
mod items;

pub use file::{Register, RegisterError, Selector};
pub use items::evidence;
