//! Colors, and what takes their place where there are none.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// On a terminal with colors.
    Colors,
    /// On a terminal without.
    Plain,
    /// As text, without keys.
    Printed,
}

/// Colors of curves: of the sixteen that a terminal's user chooses, those that differ from letters and
/// ground.
const CURVES: [Color; 6] = [
    Color::Cyan,
    Color::Yellow,
    Color::Green,
    Color::Magenta,
    Color::Blue,
    Color::Red,
];

/// Marks of curves where there are no colors, and a letter that shows them.
const MARKS: [(Marker, &str); 4] = [
    (Marker::Braille, "⠒"),
    (Marker::Dot, "•"),
    (Marker::Bar, "▄"),
    (Marker::Block, "█"),
];

impl Theme {
    pub fn curve(self, index: usize) -> Style {
        self.color(CURVES[index % CURVES.len()])
    }

    pub fn marker(self, index: usize) -> Marker {
        match self {
            Self::Colors => Marker::Braille,
            _ => MARKS[index % MARKS.len()].0,
        }
    }

    /// What stands before the name of a curve.
    pub fn mark(self, index: usize) -> &'static str {
        match self {
            Self::Colors => "━",
            _ => MARKS[index % MARKS.len()].1,
        }
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is chosen.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What is running, has gone well, is to be noticed, has failed.
    pub fn running(self) -> Style {
        self.color(Color::Cyan)
    }

    pub fn good(self) -> Style {
        self.color(Color::Green)
    }

    pub fn notice(self) -> Style {
        self.color(Color::Yellow)
    }

    pub fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn color(self, color: Color) -> Style {
        match self {
            Self::Colors => Style::new().fg(color),
            _ => Style::new(),
        }
    }
}
