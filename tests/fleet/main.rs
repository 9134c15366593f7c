//! Many peers, with async around them, on the simulated clock.

mod transitions;
