//! TensorBoard event files: records of protocol buffer messages with checksums.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::files::write_atomically;
use crate::{EpochMetrics, TrainError};

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// The event file of a run.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: PathBuf,
    /// Names of the spots of routing.
    spots: Vec<String>,
}

impl EventLog {
    /// Starts the log in `folder` with the epochs that are already complete. The log of an
    /// earlier session is replaced, as it may hold an epoch that the checkpoint does not; its epochs
    /// keep their times.
    pub(crate) fn start(
        folder: &Path,
        history: &[EpochMetrics],
        spots: Vec<String>,
    ) -> Result<Self, TrainError> {
        let earlier = std::fs::read_dir(folder)
            .map_err(|error| TrainError::io(folder, error))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with("events.out.tfevents."))
            });
        let path = earlier.unwrap_or_else(|| {
            folder.join(format!("events.out.tfevents.{:.0}.kd", wall_time().floor()))
        });
        let times = std::fs::read(&path).map_or_else(|_| BTreeMap::new(), |bytes| times(&bytes));
        let time = |step: i64| times.get(&step).copied().unwrap_or_else(wall_time);
        let version = Event {
            wall_time: time(0),
            step: 0,
            what: Some(What::FileVersion("brain.Event:2".to_owned())),
        };
        let mut bytes = record(&version);
        for metrics in history {
            let time = time(metrics.epoch as i64);
            bytes.extend(record(&scalars(metrics, &spots, time)));
        }
        write_atomically(&path, &bytes)?;
        Ok(Self { path, spots })
    }

    /// Appends an epoch.
    pub(crate) fn append(&self, metrics: &EpochMetrics) -> Result<(), TrainError> {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| {
                file.write_all(&record(&scalars(metrics, &self.spots, wall_time())))
            })
            .map_err(|error| TrainError::io(&self.path, error))
    }
}

fn scalars(metrics: &EpochMetrics, spots: &[String], wall_time: f64) -> Event {
    let EpochMetrics { train, test, .. } = metrics;
    let values = [
        ("learning_rate", Some(metrics.lr)),
        ("train/loss", Some(train.loss)),
        ("train/routing", train.routing),
        ("train/top1", Some(train.top1)),
        ("train/top5", Some(train.top5)),
        ("test/loss", Some(test.loss)),
        ("test/top1", Some(test.top1)),
        ("test/top5", Some(test.top5)),
        ("teacher/top1", metrics.teacher_top1),
    ];
    let scalar = |tag: String, value: f64| Scalar {
        tag,
        simple_value: value as f32,
    };
    let parts = values.into_iter();
    let parts = parts.filter_map(|(tag, value)| Some(scalar(tag.to_owned(), value?)));
    let shares = spots.iter().zip(train.distilled.iter().flatten());
    let shares = shares.map(|(spot, share)| scalar(format!("distilled/{spot}"), *share));
    let terms = train.terms.0.iter();
    let terms = terms.map(|(name, value)| scalar(format!("train/{name}"), *value));
    let peers = metrics.peers.iter().enumerate();
    let peers = peers.flat_map(|(index, peer)| {
        let tag = |name: &str| format!("network {}/{name}", index + 2);
        [
            scalar(tag("train/loss"), peer.train.loss),
            scalar(tag("train/top1"), peer.train.top1),
            scalar(tag("test/loss"), peer.test.loss),
            scalar(tag("test/top1"), peer.test.top1),
        ]
    });
    let value = parts.chain(terms).chain(shares).chain(peers).collect();
    Event {
        wall_time,
        step: metrics.epoch as i64,
        what: Some(What::Summary(Summary { value })),
    }
}

/// The time of each step in a log, the first where there are several: that of epoch 0 is the log's. What
/// follows a record that is damaged is left out.
fn times(mut bytes: &[u8]) -> BTreeMap<i64, f64> {
    let mut times = BTreeMap::new();
    while let Some((event, rest)) = first_event(bytes) {
        bytes = rest;
        if event.wall_time.is_finite() {
            times.entry(event.step).or_insert(event.wall_time);
        }
    }
    times
}

/// The event of the first record, if that is whole, and what follows.
fn first_event(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if masked_checksum(length) != u32::from_le_bytes(*sum) {
        return None;
    }
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (message, rest) = rest.split_at_checked(length)?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if masked_checksum(message) != u32::from_le_bytes(*sum) {
        return None;
    }
    Some((Event::decode(message).ok()?, rest))
}

/// A record: length, its checksum, the message, its checksum.
fn record(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(message.len() + 16);
    bytes.extend(length);
    bytes.extend(masked_checksum(&length).to_le_bytes());
    bytes.extend(&message);
    bytes.extend(masked_checksum(&message).to_le_bytes());
    bytes
}

/// CRC-32C, rotated and shifted as the format asks, so that a checksum of data that hold
/// checksums stays good.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn wall_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NamedValues, TestMetrics, TrainMetrics};

    fn metrics(epoch: usize) -> EpochMetrics {
        EpochMetrics {
            epoch,
            lr: 0.05,
            train: TrainMetrics {
                loss: 2.0,
                terms: NamedValues(vec![("ce".to_owned(), 1.5), ("kd".to_owned(), 0.5)]),
                routing: None,
                distilled: Some(vec![0.25, 1.0]),
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

    /// Splits a file into messages, checking lengths and checksums.
    fn events(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_at(8);
            let (checksum, rest) = rest.split_at(4);
            assert_eq!(checksum, masked_checksum(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
            let (message, rest) = rest.split_at(length);
            let (checksum, rest) = rest.split_at(4);
            assert_eq!(checksum, masked_checksum(message).to_le_bytes());
            events.push(Event::decode(message).expect("an event"));
            bytes = rest;
        }
        events
    }

    #[test]
    fn a_continued_log_holds_every_epoch_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let spots = || vec!["stage 1".to_owned(), "logits".to_owned()];
        let log = EventLog::start(folder.path(), &[], spots()).expect("a log");
        log.append(&metrics(1)).expect("an epoch");
        log.append(&metrics(2)).expect("an epoch");
        // A session that ended before the checkpoint of epoch 2.
        let again = EventLog::start(folder.path(), &[metrics(1)], spots()).expect("a log");
        assert_eq!(again.path, log.path);
        again.append(&metrics(2)).expect("an epoch");

        let events = events(&std::fs::read(&log.path).expect("a file"));
        assert_eq!(
            events.iter().map(|event| event.step).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        let Some(What::Summary(summary)) = &events[2].what else {
            panic!("a summary")
        };
        assert!(
            summary
                .value
                .iter()
                .any(|scalar| scalar.tag == "test/top1" && scalar.simple_value == 42.0)
        );
        let share = |tag: &str, share| {
            let mut values = summary.value.iter();
            values.any(|scalar| scalar.tag == tag && scalar.simple_value == share)
        };
        assert!(share("distilled/stage 1", 0.25) && share("distilled/logits", 1.0));
        assert!(share("train/ce", 1.5) && share("train/kd", 0.5));
        assert!(
            !summary
                .value
                .iter()
                .any(|scalar| scalar.tag == "train/routing")
        );
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
        bytes.extend(record(&scalars(&metrics(1), &[], 1001.25)));
        bytes.extend(record(&scalars(&metrics(2), &[], 1002.25)));
        let third = record(&scalars(&metrics(3), &[], 1003.25));
        bytes.extend(&third[..third.len() - 1]);
        std::fs::write(&path, &bytes).expect("a file");

        let before = wall_time();
        let history = [metrics(1), metrics(2), metrics(3)];
        let log = EventLog::start(folder.path(), &history, Vec::new()).expect("a log");
        log.append(&metrics(4)).expect("an epoch");
        assert_eq!(log.path, path);
        let events = events(&std::fs::read(&path).expect("a file"));
        let times: Vec<f64> = events.iter().map(|event| event.wall_time).collect();
        assert_eq!(times[..3], [1000.5, 1001.25, 1002.25]);
        assert!(times.len() == 5 && times[3..].iter().all(|time| *time >= before));
    }

    #[test]
    fn damaged_logs_are_read_up_to_the_damage() {
        let mut bytes = record(&scalars(&metrics(1), &[], 7.0));
        let whole = bytes.len();
        bytes.extend(record(&scalars(&metrics(2), &[], 8.0)));
        for end in 0..bytes.len() {
            let steps: Vec<i64> = times(&bytes[..end]).into_keys().collect();
            assert_eq!(steps, if end < whole { vec![] } else { vec![1] });
        }
        bytes[..8].fill(0xff);
        assert!(times(&bytes).is_empty());
    }

    #[test]
    fn the_checksum_of_a_known_text() {
        // CRC-32C of "123456789" is 0xe3069283.
        let rotated = 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_checksum(b"123456789"), rotated);
    }
}
