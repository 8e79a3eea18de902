//! What keys mean.

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Quit,
    /// The next panel of curves, or the one before.
    Next,
    Previous,
    /// A panel by its number, from 1.
    Panel(usize),
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    /// Open the cell that is chosen, or go back to the list.
    Open,
    Back,
}
