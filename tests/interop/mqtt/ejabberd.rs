//! ejabberd.
