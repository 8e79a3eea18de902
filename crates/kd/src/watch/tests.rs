use std::fs;
use std::path::{Path, PathBuf};

use kd_train::{Recipe, RunProgress};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tempfile::{TempDir, tempdir};

use super::app::App;
use super::frame;
use super::keys::Key;
use super::run::{Run, State};
use super::view::{self, Theme};

fn metrics(epoch: usize, top1: f64) -> String {
    format!(
        r#"{{"epoch":{epoch},"lr":0.05,"train":{{"loss":2.0,"terms":{{"ce":1.5,"kd":0.5}},"distilled":[0.25,1.0],"top1":{top1},"top5":80.0}},"test":{{"loss":1.75,"top1":{top1},"top5":82.0}},"seconds":10.0}}"#
    )
}

/// A folder with a run of 12 epochs as it is after two, in the third.
fn run() -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let run = folder.path().join("at");
    write_run(&run);
    (folder, run)
}

fn write_run(run: &Path) {
    fs::create_dir_all(run).expect("a folder");
    let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
    recipe.train.epochs = Some(12);
    let recipe = recipe.resolved().expect("a recipe");
    let text = serde_saphyr::to_string(&recipe).expect("YAML");
    fs::write(run.join("recipe.yaml"), text).expect("a file");
    // Of the third line, only a part has arrived.
    let lines = [metrics(1, 30.5), metrics(2, 28.25), metrics(3, 99.0)].join("\n");
    fs::write(run.join("metrics.jsonl"), &lines[..lines.len() - 20]).expect("a file");
    let routing = r#"{"routing":"adaptive","spots":["stage 1","logits"],"distills":[true,true],"epochs":[[0.5,0.5],[0.25,1.0]],"classes":["0"],"by_class":[[0.25,1.0]]}"#;
    fs::write(run.join("routing.json"), routing).expect("a file");
    let warnings =
        "2026-11-27T17:00:00.0Z first\n2026-11-27T17:00:01.0Z the teacher is near chance\n";
    fs::write(run.join("warnings.log"), warnings).expect("a file");
}

/// Where the run stands, as of this computer or of another one.
fn write_progress(run: &Path, host: Option<&str>) {
    let progress = RunProgress {
        title: "resnet8 by ce + kd from resnet20, routing adaptive".to_owned(),
        host: host.map(str::to_owned),
        params: 77_988,
        teacher_top1: Some(69.25),
        phase: "train".to_owned(),
        epoch: 3,
        epochs: 12,
        all_epochs: 12,
        lr: 0.005,
        step: 50,
        steps: 100,
        seconds: 5.0,
        ..RunProgress::default()
    };
    let bytes = serde_json::to_vec(&progress).expect("JSON");
    fs::write(run.join("progress.json"), bytes).expect("a file");
}

fn drawn(app: &App, [columns, rows]: [u16; 2], theme: Theme) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
    let draw = terminal.draw(|frame| view::draw(frame, app, theme));
    draw.expect("a frame");
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(columns));
    let lines = lines.map(|line| line.iter().map(|cell| cell.symbol()).collect());
    lines.collect()
}

#[test]
fn a_run_elsewhere_is_shown_as_far_as_it_has_written() {
    let (_folder, run) = run();
    write_progress(&run, Some("another computer"));
    let text = frame(&run, 100);
    for part in [
        "resnet8 by ce + kd from resnet20, routing adaptive",
        "77988 parameters · teacher 69.25 %",
        "20 %  epoch 3 of 12, step 50 of 100",
        // Two epochs of 10 s, and half of one; ten are left.
        "elapsed 25s · about 1m35s left · 10.0 s an epoch · learning rate 5.00e-3",
        "test 28.25 % · best 30.50 % in epoch 1",
        "distilled by adaptive · stage 1 0.25 · logits 1.00",
        "warning: the teacher is near chance",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.ends_with("running"))
    );
    assert!(!text.contains("99"), "{text}");
}

#[test]
fn a_run_that_no_process_is_at_is_stopped() {
    let (_folder, run) = run();
    assert_eq!(Run::read(&run).state, State::Stopped);
    // The file of a process that was killed here.
    let here = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    write_progress(&run, here.as_deref().map(str::trim));
    let read = Run::read(&run);
    assert_eq!((read.state, read.progress), (State::Stopped, None));
    let text = frame(&run, 100);
    assert!(
        text.contains("stopped after epoch 2 of 12; --resume continues it"),
        "{text}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_waited_for() {
    let folder = tempdir().expect("a folder");
    let later = folder.path().join("later");
    let mut app = App::new(&later);
    assert_eq!(app.run().state, State::Waiting);
    let text = frame(&later, 80);
    assert!(
        text.contains("waiting for the folder of a run or a sweep"),
        "{text}"
    );
    write_run(&later);
    app.refresh();
    assert_eq!(app.run().state, State::Stopped);
    assert_eq!(app.run().history.len(), 2);
}

#[test]
fn every_size_of_terminal_has_what_matters_most() {
    let (_folder, run) = run();
    write_progress(&run, Some("another computer"));
    let mut app = App::new(&run);
    for columns in [1, 2, 10, 40, 80, 140, 300] {
        for rows in [1, 2, 5, 12, 24, 45, 100] {
            for theme in [Theme::Colors, Theme::Plain, Theme::Printed] {
                let lines = drawn(&app, [columns, rows], theme).join("\n");
                let shows = |what: &str| lines.contains(what);
                assert!(
                    rows < 5 || columns < 40 || shows("epoch 3 of 12"),
                    "{lines}"
                );
                assert!(rows < 24 || columns < 80 || shows("⠒ test") || theme == Theme::Colors);
            }
        }
    }
    // Each panel of curves has its turn.
    let (panels, _) = app.panels();
    let titles: Vec<String> = panels.iter().map(|panel| panel.title.clone()).collect();
    assert_eq!(titles, ["accuracy", "loss", "ce", "kd", "distilled"]);
    for (number, title) in titles.iter().enumerate() {
        let lines = drawn(&app, [80, 24], Theme::Plain).join("\n");
        assert!(lines.contains(&format!("┌ {title} ")), "{number}: {lines}");
        app.press(Key::Next);
    }
    assert_eq!(app.panels().1, 0);
    app.press(Key::Panel(4));
    assert_eq!(app.panels().1, 3);
    app.press(Key::Panel(9));
    app.press(Key::Previous);
    assert_eq!(app.panels().1, 2);
    let wide = drawn(&app, [140, 45], Theme::Colors).join("\n");
    assert!(
        wide.contains("┌ accuracy ") && wide.contains("┌ ce "),
        "{wide}"
    );
    assert!(wide.contains("distilled  logits   1.00  ▅█"), "{wide}");
}

#[test]
fn runs_in_a_folder_are_a_list_of_which_one_is_opened() {
    let folder = tempdir().expect("a folder");
    for name in ["one", "three", "two"] {
        write_run(&folder.path().join(name));
    }
    write_progress(&folder.path().join("three"), Some("another computer"));
    let mut app = App::new(folder.path());
    let lines = drawn(&app, [80, 12], Theme::Plain);
    assert!(
        lines[1].starts_with("3 cells · 1 running · 2 stopped · about 1m40s left"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("stopped   one"), "{lines:?}");
    assert!(lines[3].starts_with("running   three") && lines[3].contains("2/12  28.25 %"));
    // The one that is running is chosen first.
    assert_eq!(app.chosen(), 1);
    app.press(Key::Down);
    app.press(Key::Down);
    assert_eq!(app.chosen(), 2);
    app.press(Key::Up);
    app.press(Key::Open);
    assert!(!app.shows_list());
    let lines = drawn(&app, [80, 24], Theme::Plain).join("\n");
    assert!(
        lines.contains("epoch 3 of 12") && lines.contains("Esc"),
        "{lines}"
    );
    app.refresh();
    assert!(!app.shows_list());
    assert!(!app.press(Key::Back));
    assert!(app.shows_list());
    assert!(app.press(Key::Quit));
    // Printed, all of them are seen, and no key.
    let text = frame(folder.path(), 80);
    assert_eq!(text.matches("2/12").count(), 3);
    assert!(!text.contains("Enter"));
}
