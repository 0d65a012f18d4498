//! Every metric and its name.
