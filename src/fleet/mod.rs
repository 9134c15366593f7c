//! Many peers, with async around them: [`transitions`].

mod transitions;

pub use transitions::{Transitions, transitions};
