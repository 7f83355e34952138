//! The part of the program that reads delivered flow logs, under the program's own name.
#![allow(dead_code, unused_imports, reason = "the program uses what the reader does not")]

#[path = "../src/act/mod.rs"]
pub mod act;
#[path = "../src/config/mod.rs"]
pub mod config;
#[path = "../src/evidence/mod.rs"]
pub mod evidence;

#[path = "."]
pub mod sources {
    #[path = "../src/sources/context.rs"]
    mod context;
    #[path = "../src/sources/flow_logs/mod.rs"]
    pub mod flow_logs;
    #[path = "../src/sources/gathered.rs"]
    mod gathered;
    /// Stands for the queue of a cluster's watches, which flow logs have nothing to do with.
    pub mod kubernetes {
        pub struct Changes;
    }

    pub use context::Context;
    pub use gathered::Gathered;
}
