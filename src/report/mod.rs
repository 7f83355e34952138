//! One view model, many outputs: HTML, PDF, JSON, CSV and mail all place what `model` says, and say nothing else.

pub mod build;
pub mod charts;
pub mod csv;
pub mod exhibit;
pub mod html;
pub mod json;
pub mod listing;
mod local;
pub mod mail;
pub mod model;
pub mod pdf;
pub mod population;
mod sections;
mod sentences;
pub mod tables;

pub use build::{Scope, Source, build};
pub use local::{Span, Zone};
pub use mail::Files;
pub use model::Report;
