//! Sweeps whose runs only pretend to train, and the tables that they make.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kd_recipes::sweep::{
    CellState, InProcess, Launcher, Order, Plan, PlanOptions, Running, SilentSweep, SweepError,
    SweepOptions, SweepReport, sweep,
};
use kd_recipes::table::{Format, Shown, TableOptions, Tables};
use kd_train::{Recipe, RunState};
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// Two pairs of a published table, with doubtful figures and a teacher of its own for each.
const PUBLISHED: &str = "
base: { data: { limit_train: 5000 } }
seeds: [0, 1]
cells:
  - recipe: sakd-cifar100-resnet56-resnet20-at
  - recipe: sakd-cifar100-resnet56-resnet20-at-adaptive
  - recipe: sakd-cifar100-resnet20
  - recipe: sakd-cifar100-vgg13-MobileNetV2-vid
  - recipe: sakd-cifar100-vgg13-MobileNetV2-vid-adaptive
    seeds: [0]
";

/// Writes the result of a run without a step, or fails.
#[derive(Clone, Default)]
struct Pretend {
    /// The names of the runs, as they were started.
    started: Rc<RefCell<Vec<String>>>,
    /// The runs that fail.
    failing: Vec<&'static str>,
}

struct Ended(Option<Result<(), String>>);

impl Running for Ended {
    fn outcome(&mut self) -> Option<Result<(), String>> {
        self.0.take()
    }
}

impl Launcher for Pretend {
    fn launch(&mut self, order: &Order<'_>) -> Result<Box<dyn Running>, SweepError> {
        let name = order.out.file_name().expect("a name").to_string_lossy();
        self.started.borrow_mut().push(name.clone().into_owned());
        if self.failing.contains(&&*name) {
            let reason = "the loss `at` is NaN at epoch 3, step 7".to_owned();
            return Ok(Box::new(Ended(Some(Err(reason)))));
        }
        fs::create_dir_all(order.out).expect("a folder");
        fs::copy(order.config, order.out.join("recipe.yaml")).expect("a recipe");
        let result = result(order.recipe).to_string();
        fs::write(order.out.join("result.json"), result).expect("a result");
        Ok(Box::new(Ended(Some(Ok(())))))
    }
}

/// Numbers that say which run they are of.
fn result(recipe: &Recipe) -> serde_json::Value {
    let adaptive = f64::from(u8::from(recipe.routing.mode.name() == "adaptive"));
    let seed = recipe.train.seed;
    let top1 = 60.0 + 2.0 * recipe.losses.len() as f64 + 0.25 * adaptive + (seed % 7) as f64;
    json!({
        "student": recipe.student.network.map(|network| network.name()),
        "teacher": recipe.teacher.weights.as_ref().map(|_| "teacher"),
        "data": recipe.data.name.name(),
        "train_images": recipe.data.limit_train.unwrap_or(50_000),
        "test_images": 10_000,
        "last_top1": top1,
        "last_top5": 90.0,
        "best_top1": top1 + 0.5,
        "best_epoch": 2,
        "epochs": recipe.train.epochs,
        "params": 78_042,
        "seconds_per_epoch": 1.5,
        "peak_rss_mb": 123.4,
        "seed": seed,
        "device": "flex",
        "version": "0.1.0",
    })
}

fn plan(folder: &Path, text: &str) -> (Plan, PathBuf) {
    let file = folder.join("sweep.yaml");
    fs::write(&file, text).expect("a file");
    let out = folder.join("out");
    let mut options = PlanOptions {
        out: out.clone(),
        ..PlanOptions::default()
    };
    options.over.set("data.root", folder);
    (Plan::by_file(&file, &options).expect("a plan"), out)
}

/// Runs that go on until somebody asked so often, and the devices that they were given.
#[derive(Default)]
struct Slow {
    /// Runs at present, and devices in the order of starts.
    seen: Rc<RefCell<(Vec<String>, Vec<String>)>>,
}

struct SlowRun {
    asked: usize,
    device: String,
    seen: Rc<RefCell<(Vec<String>, Vec<String>)>>,
    end: Box<dyn Running>,
}

impl Launcher for Slow {
    fn launch(&mut self, order: &Order<'_>) -> Result<Box<dyn Running>, SweepError> {
        let device = order.device.expect("a device").to_owned();
        let mut seen = self.seen.borrow_mut();
        assert!(!seen.0.contains(&device), "{device} has a run already");
        seen.0.push(device.clone());
        seen.1.push(device.clone());
        drop(seen);
        let end = Pretend::default().launch(order)?;
        // What a run leaves after its first epoch, so that another may start beside it.
        fs::write(order.out.join("metrics.jsonl"), "\n").expect("a file");
        Ok(Box::new(SlowRun {
            asked: 0,
            device,
            seen: Rc::clone(&self.seen),
            end,
        }))
    }
}

impl Running for SlowRun {
    fn outcome(&mut self) -> Option<Result<(), String>> {
        self.asked += 1;
        if self.asked < 3 {
            return None;
        }
        let outcome = self.end.outcome();
        if outcome.is_some() {
            self.seen
                .borrow_mut()
                .0
                .retain(|device| *device != self.device);
        }
        outcome
    }
}

#[test]
fn each_run_has_a_device_and_each_device_one_run() {
    let folder = tempdir().expect("a folder");
    let (plan, out) = plan(folder.path(), PUBLISHED);
    let options = SweepOptions {
        out,
        jobs: 1,
        devices: vec!["cuda:0".to_owned(), "cuda:1".to_owned()],
    };
    let mut launcher = Slow::default();
    let report = sweep(&plan, &options, &mut launcher, &mut SilentSweep).expect("a sweep");
    assert_eq!(report.complete, plan.cells.len());
    let (running, started) = &*launcher.seen.borrow();
    assert!(running.is_empty());
    for device in ["cuda:0", "cuda:1"] {
        assert!(started.contains(&device.to_owned()), "{started:?}");
    }
}

fn carried_out(plan: &Plan, out: &Path, launcher: &mut dyn Launcher) -> SweepReport {
    let options = SweepOptions {
        out: out.to_owned(),
        jobs: 1,
        devices: Vec::new(),
    };
    sweep(plan, &options, launcher, &mut SilentSweep).expect("a sweep")
}

/// The published pairs with one run that failed.
fn published() -> (TempDir, PathBuf, Pretend) {
    let folder = tempdir().expect("a folder");
    let (plan, out) = plan(folder.path(), PUBLISHED);
    let mut launcher = Pretend {
        failing: vec!["sakd-cifar100-resnet56-resnet20-at-adaptive-seed1"],
        ..Pretend::default()
    };
    let report = carried_out(&plan, &out, &mut launcher);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.complete + 1, plan.cells.len());
    (folder, out, launcher)
}

#[test]
fn teachers_come_once_and_before_their_students() {
    let folder = tempdir().expect("a folder");
    let (plan, out) = plan(folder.path(), PUBLISHED);
    let names: Vec<&str> = plan.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "sakd-cifar100-resnet56-seed1029",
            "sakd-cifar100-resnet56-resnet20-at-seed0",
            "sakd-cifar100-resnet56-resnet20-at-seed1",
            "sakd-cifar100-resnet56-resnet20-at-adaptive-seed0",
            "sakd-cifar100-resnet56-resnet20-at-adaptive-seed1",
            "sakd-cifar100-resnet20-seed0",
            "sakd-cifar100-resnet20-seed1",
            "sakd-cifar100-vgg13-seed1029",
            "sakd-cifar100-vgg13-MobileNetV2-vid-seed0",
            "sakd-cifar100-vgg13-MobileNetV2-vid-seed1",
            "sakd-cifar100-vgg13-MobileNetV2-vid-adaptive-seed0",
        ]
    );
    let cell = plan.cell(names[1]).expect("a cell");
    let weights = cell.recipe.teacher.weights.as_ref().expect("weights");
    // The study takes the best epoch of its teachers.
    let expected = out.join(names[0]).join("student-best.safetensors");
    assert_eq!(weights.as_slice(), [expected]);
    assert!(cell.wanted && !plan.cells[0].wanted);
    let epochs = plan.cells.iter().map(|cell| cell.recipe.train.epochs);
    assert!(epochs.into_iter().all(|epochs| epochs == Some(240)));
}

#[test]
fn what_is_complete_is_not_run_again_and_what_failed_is() {
    let (folder, out, launcher) = published();
    let (plan, _) = plan(folder.path(), PUBLISHED);
    let failed = launcher.failing[0];
    let cell = plan.cell(failed).expect("a cell");
    let state = CellState::of(&out, cell);
    assert!(
        matches!(&state, CellState::Failed(reason) if reason.contains("NaN")),
        "{state}"
    );

    let mut again = Pretend::default();
    let report = carried_out(&plan, &out, &mut again);
    assert_eq!(*again.started.borrow(), [failed]);
    assert_eq!(
        (report.complete, report.failed.len()),
        (plan.cells.len(), 0)
    );
    let state = CellState::of(&out, cell);
    assert!(matches!(state, CellState::Complete(_)), "{state}");
}

#[test]
fn a_teacher_that_failed_is_why_its_students_are_missing() {
    let folder = tempdir().expect("a folder");
    let (plan, out) = plan(folder.path(), PUBLISHED);
    let teacher = "sakd-cifar100-vgg13-seed1029";
    let mut launcher = Pretend {
        failing: vec![teacher],
        ..Pretend::default()
    };
    let report = carried_out(&plan, &out, &mut launcher);
    assert_eq!(report.failed.len(), 1 + 3);
    let cell = plan
        .cell("sakd-cifar100-vgg13-MobileNetV2-vid-seed1")
        .expect("a cell");
    let state = CellState::of(&out, cell);
    assert_eq!(state.to_string(), format!("needs {teacher}, which failed"));
}

/// What a run comes to is the same by a launcher in this process.
#[test]
fn runs_are_carried_out_in_this_process_too() {
    let folder = tempdir().expect("a folder");
    let text = "
base:
  data: { name: procedural, limit_train: 32, limit_test: 16, batch_size: 16 }
  train: { epochs: 1 }
matrix:
  - { teacher: resnet8, student: resnet8, methods: [{ name: kd, temperature: 2 }], seeds: [3] }
";
    let file = folder.path().join("sweep.yaml");
    fs::write(&file, text).expect("a file");
    let out = folder.path().join("out");
    let options = PlanOptions {
        out: out.clone(),
        ..PlanOptions::default()
    };
    let plan = Plan::by_file(&file, &options).expect("a plan");
    let report = carried_out(&plan, &out, &mut InProcess);
    assert_eq!((report.complete, report.failed), (2, Vec::new()));
    let state = RunState::of(&out.join("resnet8-resnet8-kd-always-seed3"));
    assert!(matches!(state, RunState::Complete(result) if result.seed == 3));
}

/// Teachers of a sweep are in its folder: where that has moved, their contents tell that they are the
/// same, and a run that is complete is not repeated.
#[test]
fn report_f8_a_sweep_that_moved_runs_nothing_again() {
    let folder = tempdir().expect("a folder");
    let text = "
base:
  data: { name: procedural, limit_train: 32, limit_test: 16, batch_size: 16 }
  train: { epochs: 1 }
matrix:
  - { teacher: resnet8, student: resnet8, methods: [kd], seeds: [3] }
";
    let file = folder.path().join("sweep.yaml");
    fs::write(&file, text).expect("a file");
    let carried_out = |out: &Path| {
        let options = PlanOptions {
            out: out.to_owned(),
            ..PlanOptions::default()
        };
        let plan = Plan::by_file(&file, &options).expect("a plan");
        let report = carried_out(&plan, out, &mut InProcess);
        (report, plan)
    };
    let (out, moved) = (folder.path().join("out"), folder.path().join("moved"));
    let (report, plan) = carried_out(&out);
    assert_eq!((plan.cells.len(), report.failed), (2, Vec::new()));
    fs::rename(&out, &moved).expect("moved");
    let student = moved.join("resnet8-resnet8-kd-always-seed3");
    let written = || {
        let result = fs::metadata(student.join("result.json")).expect("a result");
        result.modified().expect("a time")
    };
    let before = written();
    let (report, _) = carried_out(&moved);
    assert_eq!((report.complete, report.failed), (2, Vec::new()));
    assert_eq!(written(), before);
    let recipe = fs::read_to_string(student.join("recipe.yaml")).expect("a recipe");
    assert!(recipe.contains(&moved.display().to_string()), "{recipe}");
    // Another teacher in the place of the first.
    let again = folder.path().join("again");
    fs::rename(&moved, &again).expect("moved");
    let teacher = plan.cells.iter().find(|cell| !cell.name.contains("-kd-"));
    let teacher = again.join(&teacher.expect("a teacher").name);
    let weights = teacher.join("student.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let place = bytes.len() - 4;
    bytes[place] ^= 1;
    fs::write(&weights, bytes).expect("a file");
    let (report, _) = carried_out(&again);
    assert_eq!(report.failed.len(), 1);
    let (name, reason) = &report.failed[0];
    assert!(
        name.contains("-kd-") && reason.contains("`teacher.weights` had the contents"),
        "{reason}"
    );
}

/// Compares with a file, or writes it if `KD_BLESS` is set.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tables")
        .join(name);
    if std::env::var_os("KD_BLESS").is_some() {
        fs::write(&path, text).expect("a file");
    }
    let expected = fs::read_to_string(&path).expect("a file");
    assert_eq!(text, expected, "{name}");
}

#[test]
fn formats() {
    let (_folder, out, _) = published();
    let tables = Tables::read(&[out]).expect("tables");
    let options = TableOptions {
        details: true,
        ..TableOptions::default()
    };
    for (name, format) in [
        ("table.txt", Format::Text),
        ("table.md", Format::Markdown),
        ("table.tsv", Format::Tsv),
        ("table.tex", Format::Latex),
        ("table.json", Format::Json),
        ("table.html", Format::Html),
    ] {
        golden(name, &tables.render(format, &options));
    }
    let both = TableOptions {
        shown: Shown::Both,
        width: Some(60),
        ..TableOptions::default()
    };
    golden("both.txt", &tables.render(Format::Text, &both));
}

/// Runs that no catalog knows: figures of all studies, and a second recipe of the same name apart.
#[test]
fn runs_of_ones_own() {
    let folder = tempdir().expect("a folder");
    let text = "
base: { data: { name: cifar100 }, train: { epochs: 6 } }
matrix:
  - { teacher: vgg13, student: vgg8, methods: [at, hint] }
cells:
  - name: hot
    teacher: vgg13
    set: { student: { network: vgg8 }, losses: [{ name: ce, weight: 1 }, { name: at, weight: 1 }] }
    method: AT
  - { name: unseen, set: { student: { network: resnet8 } } }
";
    let (plan, out) = plan(folder.path(), text);
    carried_out(&plan, &out, &mut Pretend::default());
    // A run that was not planned, found below the folder.
    let unseen = out.join("unseen-seed0");
    let moved = out.join("elsewhere/deeper");
    fs::create_dir_all(&moved).expect("a folder");
    fs::rename(&unseen, moved.join("found")).expect("a move");
    fs::remove_dir_all(out.join(".sweep/unseen-seed0")).expect("a folder");
    let tables = Tables::read(&[out.clone(), moved.join("found")]).expect("tables");
    golden(
        "own.txt",
        &tables.render(Format::Text, &TableOptions::default()),
    );

    let error = Tables::read(&[folder.path().join("out/.sweep")]).expect_err("no runs");
    assert!(error.to_string().contains("no runs"), "{error}");
}
