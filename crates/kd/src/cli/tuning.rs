//! What is shown while a GPU compiles and tunes its kernels.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use kd_train::KernelWatch;

/// Time from one look at the kernels to the next.
const TICK: Duration = Duration::from_millis(250);

/// Counts kernels from its beginning on.
pub struct Tuning {
    gpu: String,
    watch: Arc<KernelWatch>,
    since: Instant,
}

impl Tuning {
    /// Begins to count those of this GPU.
    pub fn begin(gpu: &str) -> Self {
        Self {
            gpu: gpu.to_owned(),
            watch: Arc::new(KernelWatch::new()),
            since: Instant::now(),
        }
    }

    /// A live line: `tuning kernels for NVIDIA H200: 61 kernels, 4211 launches, 31s`.
    pub fn show_on(&self, bar: &ProgressBar) {
        let watch = self.watch.clone();
        let counts = move |_: &ProgressState, out: &mut dyn Write| {
            let (kernels, launches) = watch.counts();
            let _ = write!(out, "{kernels} kernels, {launches} launches");
        };
        let name = self.gpu.replace(['{', '}'], "");
        let template = format!("tuning kernels for {name}: {{counts}}, {{elapsed}}  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.with_key("counts", counts));
        }
        bar.enable_steady_tick(TICK);
    }

    /// A line of its own on standard error, if that is a terminal.
    pub fn bar(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        self.show_on(&bar);
        bar
    }

    /// What came of it: `NVIDIA H200: 61 kernels ready after 71.3 s`.
    pub fn summary(&self) -> String {
        let (kernels, _) = self.watch.counts();
        let seconds = self.since.elapsed().as_secs_f64();
        format!("{}: {kernels} kernels ready after {seconds:.1} s", self.gpu)
    }
}
