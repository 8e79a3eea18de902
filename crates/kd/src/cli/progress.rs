//! Progress on standard error: a live bar on a terminal, a line an epoch elsewhere.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kd_train::{
    CacheReport, EpochMetrics, Observer, PretrainEpoch, RunResult, RunStart, StepProgress,
    TeacherStart,
};

use super::tuning::Tuning;
use super::{interrupt, output, warnings};

/// Shows a run.
pub struct Progress {
    bar: ProgressBar,
    /// Of a GPU, until its first step.
    tuning: Option<Tuning>,
    start: Option<RunStart>,
    /// The latest means of the losses: an epoch's first steps have none yet.
    losses: Vec<(String, f64)>,
}

impl Progress {
    /// Shows runs on standard error if that is a terminal.
    pub fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            tuning: None,
            start: None,
            losses: Vec::new(),
        }
    }

    /// The bar as it is while steps are made.
    fn show_steps(&self) {
        let template = "{bar:24} {percent:>3} %  {elapsed} of {duration}, {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// After the first step, a GPU has its kernels.
    fn end_tuning(&mut self) {
        if let Some(tuning) = self.tuning.take() {
            self.bar.disable_steady_tick();
            self.line(&tuning.summary());
            self.show_steps();
            self.bar.reset_eta();
        }
    }

    fn line(&self, line: &str) {
        if self.bar.is_hidden() {
            output::error(line);
        } else {
            self.bar.suspend(|| output::error(line));
        }
    }
}

impl Observer for Progress {
    fn stops(&mut self) -> bool {
        interrupt::is_stopping()
    }

    fn start(&mut self, start: &RunStart) {
        interrupt::watch();
        warnings::keep_in(&start.folder);
        let steps = ((start.pretrain + start.epochs) * start.steps) as u64;
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        // An epoch of the main phase follows those of the phases before.
        let before = match start.completed {
            0 => 0,
            completed => start.pretrain + completed,
        };
        let completed = (before * start.steps) as u64;
        bar.set_position(completed);
        // Earlier epochs took none of this session's time.
        bar.reset_eta();
        self.bar = bar;
        self.show_steps();
        let continued = match start.completed {
            0 => String::new(),
            epochs => format!(", continued after epoch {epochs}"),
        };
        self.line(&format!(
            "{}: {} parameters, {} epochs of {} steps{continued}",
            start.title, start.params, start.epochs, start.steps
        ));
        if let Some(TeacherStart { name, top1, images }) = &start.teacher {
            self.line(&format!(
                "teacher {name}: {top1:.2} % top-1 on the {images} test images"
            ));
        }
        for note in &start.notes {
            self.line(note);
        }
        if let Some(gpu) = &start.gpu {
            let tuning = Tuning::begin(gpu);
            tuning.show_on(&self.bar);
            self.tuning = Some(tuning);
        }
        self.start = Some(start.clone());
        self.losses.clear();
    }

    fn step(&mut self, progress: &StepProgress) {
        self.end_tuning();
        self.bar.inc(1);
        if self.bar.is_hidden() {
            return;
        }
        if !progress.losses.is_empty() {
            self.losses.clone_from(&progress.losses);
        }
        let mut message = format!("{} epoch {}", progress.phase, progress.epoch);
        for (name, mean) in &self.losses {
            let _ = write!(message, "  {name} {mean:.3}");
        }
        self.bar.set_message(message);
    }

    fn pretrain(&mut self, epoch: &PretrainEpoch) {
        let width = epoch.epochs.to_string().len();
        self.line(&format!(
            "{} epoch {:>width$}/{}  loss {:.4}  {:.1} s",
            epoch.phase, epoch.epoch, epoch.epochs, epoch.loss, epoch.seconds
        ));
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        let epochs = self.start.as_ref().map_or(0, |start| start.epochs);
        let width = epochs.to_string().len();
        let EpochMetrics { train, test, .. } = metrics;
        let others = [("total", Some(train.loss)), ("routing", train.routing)];
        let others = others
            .into_iter()
            .filter_map(|(name, mean)| Some((name.to_owned(), mean?)));
        self.losses = train.terms.0.iter().cloned().chain(others).collect();
        let mut line = format!(
            "epoch {:>width$}/{epochs}  lr {:<7}  loss {:.4}",
            metrics.epoch,
            format!("{:.2e}", metrics.lr),
            train.loss,
        );
        for (name, mean) in &train.terms.0 {
            let _ = write!(line, "  {name} {mean:.4}");
        }
        if let Some(shares) = &train.distilled {
            let shares: Vec<_> = shares.iter().map(|share| format!("{share:.2}")).collect();
            let _ = write!(line, "  distilled {}", shares.join("/"));
        }
        let _ = write!(
            line,
            "  train {:5.2} %  test {:5.2} %  top-5 {:5.2} %",
            train.top1, test.top1, test.top5
        );
        if let Some(top1) = metrics.teacher_top1 {
            let _ = write!(line, "  teacher {top1:5.2} %");
        }
        for (index, peer) in metrics.peers.iter().enumerate() {
            let (number, test) = (index + 2, &peer.test);
            let _ = write!(line, "  network {number} test {:5.2} %", test.top1);
        }
        let _ = write!(line, "  {:.1} s", metrics.seconds);
        self.line(&line);
    }

    fn teacher_cache(&mut self, report: &CacheReport) {
        let images = report.read + report.computed;
        self.line(&format!(
            "teacher: {} of {images} outputs read from the cache, which holds {} in {:.1} MiB",
            report.read,
            report.rows,
            report.bytes as f64 / f64::from(1 << 20)
        ));
    }

    fn finish(&mut self, _result: &RunResult) {
        self.bar.finish_and_clear();
    }
}
