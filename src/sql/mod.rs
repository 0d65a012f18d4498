//! Text to facts: what a statement does. Pure.
