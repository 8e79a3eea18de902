//! What is shown: a list of cells, or a run.

use std::path::{Path, PathBuf};

use kd_recipes::sweep::CellState;

use super::cells::{Cell, Cells};
use super::keys::Key;
use super::panels::panels;
use super::run::Run;
use kd_report::figures::Panel;

/// Cells that a page key passes.
const PAGE: usize = 10;
/// Rows of the list beside its cells.
const AROUND: usize = 6;

/// What is shown.
#[derive(Debug)]
pub struct App {
    root: PathBuf,
    cells: Option<Cells>,
    chosen: usize,
    /// Whether a cell is open.
    open: bool,
    run: Run,
    panels: Vec<Panel>,
    panel: usize,
}

impl App {
    /// Reads a folder, which may be one of a run or of a sweep, or be not there yet.
    pub fn new(root: &Path) -> Self {
        let mut app = Self {
            root: root.to_owned(),
            cells: None,
            chosen: 0,
            open: false,
            run: Run::default(),
            panels: Vec::new(),
            panel: 0,
        };
        app.refresh();
        let cells = app.cells().iter();
        let mut running = cells.map(|cell| matches!(cell.state, CellState::Running { .. }));
        app.chosen = running.position(|running| running).unwrap_or_default();
        app
    }

    /// Reads all that is shown again.
    pub fn refresh(&mut self) {
        let is_run = self.root.join("recipe.yaml").is_file();
        self.cells = if is_run {
            None
        } else {
            Cells::read(&self.root)
        };
        self.chosen = self.chosen.min(self.cells().len().saturating_sub(1));
        self.read_run();
    }

    fn read_run(&mut self) {
        if self.shows_list() {
            return;
        }
        self.run = Run::read(self.folder());
        self.panels = panels(&self.run);
    }

    /// Does what a key asks for; whether the end was asked for.
    pub fn press(&mut self, key: Key) -> bool {
        match (key, self.shows_list()) {
            (Key::Quit, _) => return true,
            (Key::Back, true) => {}
            (Key::Back, false) => self.open = false,
            (Key::Open, true) => {
                self.open = self.chosen_cell().is_some();
                self.panel = 0;
                self.read_run();
            }
            (_, true) => self.choose(key),
            (Key::Next | Key::Down, false) => self.panel = (self.panel + 1) % self.count(),
            (Key::Previous | Key::Up, false) => {
                self.panel = (self.panel + self.count() - 1) % self.count();
            }
            (Key::Panel(number), false) if (1..=self.count()).contains(&number) => {
                self.panel = number - 1;
            }
            _ => {}
        }
        false
    }

    fn choose(&mut self, key: Key) {
        let last = self.cells().len().saturating_sub(1);
        self.chosen = match key {
            Key::Up => self.chosen.saturating_sub(1),
            Key::Down => self.chosen + 1,
            Key::PageUp => self.chosen.saturating_sub(PAGE),
            Key::PageDown => self.chosen + PAGE,
            Key::First => 0,
            Key::Last => last,
            _ => self.chosen,
        }
        .min(last);
    }

    fn count(&self) -> usize {
        self.panels.len().max(1)
    }

    /// Whether the list of cells is shown.
    pub fn shows_list(&self) -> bool {
        self.cells.is_some() && !self.open
    }

    /// The list, if there is one.
    pub fn list(&self) -> Option<&Cells> {
        self.cells.as_ref()
    }

    fn cells(&self) -> &[Cell] {
        self.cells.as_ref().map_or(&[], |list| &list.cells)
    }

    /// The index of the cell that is chosen.
    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// The cell that is chosen.
    pub fn chosen_cell(&self) -> Option<&Cell> {
        self.cells().get(self.chosen)
    }

    /// How the cell is that is open.
    pub fn chosen_state(&self) -> Option<&CellState> {
        let cell = self.chosen_cell().filter(|_| self.open);
        cell.map(|cell| &cell.state)
    }

    /// The folder of what is shown.
    pub fn folder(&self) -> &Path {
        match self.chosen_cell() {
            Some(cell) if self.open => &cell.folder,
            _ => &self.root,
        }
    }

    /// The run that is shown.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The panels of its curves, and the index of the one that is shown.
    pub fn panels(&self) -> (&[Panel], usize) {
        (&self.panels, self.panel.min(self.count() - 1))
    }

    /// Rows in which all cells are seen.
    pub fn rows(&self) -> u16 {
        let rows = self.cells().len() + AROUND;
        u16::try_from(rows).unwrap_or(u16::MAX)
    }
}
