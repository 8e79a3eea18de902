use kd_spot::RoutingMode;

use super::message::Content;
use super::*;
use crate::{NamedValues, Recipe, TestMetrics, TrainMetrics};

fn metrics(epoch: usize) -> EpochMetrics {
    EpochMetrics {
        epoch,
        lr: 0.05,
        train: TrainMetrics {
            loss: 2.0,
            terms: NamedValues(vec![("ce".to_owned(), 1.5), ("kd".to_owned(), 0.5)]),
            routing: None,
            distilled: Some(vec![0.25, 0.0]),
            top1: 40.0,
            top5: 80.0,
        },
        test: TestMetrics {
            loss: 1.75,
            top1: 42.0,
            top5: 82.0,
        },
        teacher_top1: None,
        peers: Vec::new(),
        seconds: 1.0,
    }
}

fn about(epochs: usize) -> About {
    let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
    recipe.train.epochs = Some(epochs);
    let recipe = recipe.resolved().expect("a recipe");
    About {
        spots: vec!["stage 1".to_owned(), "logits".to_owned()],
        epochs,
        hyperparameters: Hyperparameters::new(&recipe, "resnet8", None),
    }
}

fn routing(epochs: usize) -> RoutingRecord {
    RoutingRecord {
        routing: RoutingMode::Adaptive,
        spots: about(epochs).spots,
        distills: vec![true, true],
        epochs: vec![vec![0.25, 1.0]; epochs],
        classes: vec!["0".to_owned()],
        by_class: vec![Some(vec![0.25, 1.0])],
    }
}

fn weights() -> Vec<(String, TensorData)> {
    let kernel = TensorData::new(vec![0.0f32, 0.5, 1.0, 1.5], [2, 2]);
    let bias = TensorData::new(vec![0.0f32, 0.5], [2]);
    vec![
        ("conv.weight".to_owned(), kernel),
        ("conv.bias".to_owned(), bias),
    ]
}

/// The events of a log, all of whose records have to be whole.
fn events(path: &Path) -> Vec<Event> {
    let bytes = std::fs::read(path).expect("a file");
    let all: Vec<(Event, &[u8])> = records(&bytes).collect();
    let whole: usize = all.iter().map(|(_, record)| record.len()).sum();
    assert_eq!(whole, bytes.len());
    all.into_iter().map(|(event, _)| event).collect()
}

fn values(event: &Event) -> &[Value] {
    match &event.what {
        Some(What::Summary(summary)) => &summary.value,
        _ => panic!("a summary"),
    }
}

fn tags(event: &Event) -> Vec<&str> {
    values(event)
        .iter()
        .map(|value| value.tag.as_str())
        .collect()
}

fn steps(path: &Path) -> Vec<i64> {
    events(path).iter().map(|event| event.step).collect()
}

#[test]
fn a_continued_log_holds_every_epoch_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = Beside::default();
    let log = EventLog::start(folder.path(), &[], about(3)).expect("a log");
    log.append(&[metrics(1)], &none).expect("an epoch");
    log.append(&[metrics(1), metrics(2)], &none)
        .expect("an epoch");
    // A session that ended before the checkpoint of epoch 2.
    let again = EventLog::start(folder.path(), &[metrics(1)], about(3)).expect("a log");
    assert_eq!(again.path, log.path);
    let mut better = metrics(2);
    better.test.top1 = 41.0;
    again
        .append(&[metrics(1), better], &none)
        .expect("an epoch");

    assert_eq!(steps(&log.path), [0, 0, 0, 1, 2]);
    let events = events(&log.path);
    let value = |tag: &str| {
        let value = values(&events[4]).iter().find(|value| value.tag == tag)?;
        value.content.clone()
    };
    let is = |tag: &str, number| value(tag) == Some(Content::Simple(number));
    assert!(is("test/top1", 41.0) && is("test/best_top1", 42.0));
    // A zero is a value, too.
    assert!(is("distilled/stage 1", 0.25) && is("distilled/logits", 0.0));
    assert!(is("train/ce", 1.5) && is("train/kd", 0.5));
    assert_eq!(value("train/routing"), None);
}

#[test]
fn report_f10_events_keep_their_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.out.tfevents.1000.kd");
    // A log of long ago, whose last record was cut off.
    let version = Event {
        wall_time: 1000.5,
        step: 0,
        what: Some(What::FileVersion("brain.Event:2".to_owned())),
    };
    let mut bytes = record(&version);
    for (epoch, time) in [(1, 1001.25), (2, 1002.25)] {
        bytes.extend(record(&summary(epoch, time, Vec::new())));
    }
    let third = record(&summary(3, 1003.25, Vec::new()));
    bytes.extend(&third[..third.len() - 1]);
    std::fs::write(&path, &bytes).expect("a file");

    let before = wall_time();
    let history = [metrics(1), metrics(2), metrics(3), metrics(4)];
    let log = EventLog::start(folder.path(), &history[..3], about(4)).expect("a log");
    log.append(&history, &Beside::default()).expect("an epoch");
    assert_eq!(log.path, path);
    let times: Vec<f64> = events(&path).iter().map(|event| event.wall_time).collect();
    assert_eq!(times[..5], [1000.5, 1000.5, 1000.5, 1001.25, 1002.25]);
    assert!(times.len() == 7 && times[5..].iter().all(|time| *time >= before));
}

#[test]
fn images_and_histograms_stay_when_a_run_is_continued() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = EventLog::start(folder.path(), &[], about(2)).expect("a log");
    let mut history = Vec::new();
    for epoch in 1..=2 {
        history.push(metrics(epoch));
        let routing = routing(epoch);
        let beside = Beside {
            routing: Some(&routing),
            weights: weights(),
        };
        log.append(&history, &beside).expect("an epoch");
    }
    log.end().expect("an end");
    let all = events(&log.path);
    let last = tags(&all[4]);
    for tag in ["routing/epochs", "routing/classes", "weights/conv.weight"] {
        assert!(last.contains(&tag), "{tag} in {last:?}");
    }
    assert!(!last.contains(&"weights/conv.bias"));
    assert!(!tags(&all[3]).contains(&"routing/classes"));
    assert_eq!(tags(&all[1]), ["_hparams_/experiment"]);
    assert_eq!(tags(&all[2]), ["_hparams_/session_start_info"]);
    assert_eq!(tags(&all[5]), ["_hparams_/session_end_info"]);

    // A longer run goes on: what was written stands, but for the end.
    let longer = EventLog::start(folder.path(), &history, about(3)).expect("a log");
    assert_eq!(steps(&longer.path), [0, 0, 0, 1, 2]);
    let after = events(&longer.path);
    assert_eq!(after[3..], all[3..5]);
}

#[test]
fn histograms_and_images_do_not_grow_with_the_epochs() {
    for (count, epochs) in [(50, 240), (10, 240), (50, 30), (10, 7), (10, 1)] {
        let chosen = (1..=epochs).filter(|epoch| is_among(count, *epoch, epochs));
        let chosen: Vec<usize> = chosen.collect();
        assert!(chosen.len() <= count.min(epochs) + 1, "{chosen:?}");
        assert!(chosen.len() >= count.min(epochs) / 2, "{chosen:?}");
        assert_eq!(chosen.last(), Some(&epochs));
    }
}
