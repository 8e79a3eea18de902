//! The overview of a sweep: live lines on a terminal, a line an event elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use kd_recipes::sweep::{Cell, CellProgress, Overview, SweepObserver};
use kd_train::RunResult;

use super::{interrupt, output};

/// Between two lines about the whole, where there are no live ones.
const REPORT: Duration = Duration::from_secs(60);

/// Shows a sweep on standard error.
#[derive(Debug)]
pub struct SweepProgress {
    bars: MultiProgress,
    total: ProgressBar,
    cells: BTreeMap<String, ProgressBar>,
    ended: usize,
    all: usize,
    reported: std::time::Instant,
}

impl SweepProgress {
    /// For a sweep of so many cells.
    pub fn new(all: usize) -> Self {
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new(all as u64));
        total.set_style(style("{bar:24} {msg}"));
        Self {
            bars,
            total,
            cells: BTreeMap::new(),
            ended: 0,
            all,
            reported: std::time::Instant::now(),
        }
    }

    /// Takes the live lines away.
    pub fn finish(&mut self) {
        for bar in std::mem::take(&mut self.cells).into_values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }

    fn line(&self, line: &str) {
        match self.bars.is_hidden() {
            true => output::error(line),
            false => self.bars.suspend(|| output::error(line)),
        }
    }

    fn show(&mut self, cell: &CellProgress) {
        let bar = self.cells.entry(cell.name.clone()).or_insert_with(|| {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new(0));
            bar.with_style(style("{bar:12} {pos:>3}/{len} epochs  {msg}"))
        });
        bar.set_length(cell.epochs as u64);
        bar.set_position(cell.epoch as u64);
        bar.set_message(details(cell));
    }
}

impl SweepObserver for SweepProgress {
    fn stops(&mut self) -> bool {
        interrupt::is_stopping()
    }

    fn found(&mut self, complete: usize) {
        self.ended = complete;
        if complete > 0 {
            self.line(&format!(
                "{complete} of {} cells are complete already",
                self.all
            ));
        }
    }

    fn started(&mut self, cell: &Cell) {
        if self.bars.is_hidden() {
            self.line(&format!("started {}", cell.name));
        }
    }

    fn ended(&mut self, cell: &Cell, result: Result<&RunResult, &str>) {
        self.ended += 1;
        let outcome = match result {
            Ok(result) => format!(
                "top-1 {:.2} % after the last epoch, {:.2} % after the best",
                result.last_top1, result.best_top1
            ),
            Err(reason) => format!("failed: {reason}"),
        };
        self.line(&format!(
            "[{}/{}] {}: {outcome}",
            self.ended, self.all, cell.name
        ));
    }

    fn overview(&mut self, overview: &Overview) {
        if self.bars.is_hidden() {
            if self.reported.elapsed() >= REPORT && !overview.running.is_empty() {
                self.reported = std::time::Instant::now();
                let cells: Vec<_> = overview
                    .running
                    .iter()
                    .map(|cell| format!("{} epoch {}/{}", cell.name, cell.epoch, cell.epochs))
                    .collect();
                self.line(&format!("{}: {}", totals(overview), cells.join(", ")));
            }
            return;
        }
        let runs = |name: &String| overview.running.iter().any(|cell| cell.name == *name);
        self.cells.retain(|name, bar| {
            let runs = runs(name);
            if !runs {
                bar.finish_and_clear();
            }
            runs
        });
        for cell in &overview.running {
            self.show(cell);
        }
        self.total
            .set_position((overview.complete + overview.failed) as u64);
        self.total.set_message(totals(overview));
    }
}

fn details(cell: &CellProgress) -> String {
    let mut details = cell.name.clone();
    if let Some(top1) = cell.top1 {
        details.push_str(&format!("  {top1:.2} %"));
    }
    if let Some(seconds) = cell.seconds {
        details.push_str(&format!("  {seconds:.1} s per epoch"));
    }
    if cell.elsewhere {
        details.push_str("  (another sweep)");
    }
    details
}

fn totals(overview: &Overview) -> String {
    let mut totals = format!(
        "{} of {} complete, {} failed",
        overview.complete, overview.cells, overview.failed
    );
    if let Some(left) = overview.left {
        totals.push_str(&format!(", {} left", HumanDuration(left)));
    }
    totals
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
