//! The numbers of an epoch.

use super::message::{Content, Value};
use crate::EpochMetrics;

/// The best top-1 accuracy on the images of evaluation up to an epoch.
pub(super) const BEST: &str = "test/best_top1";
/// The top-1 accuracy on the images of evaluation.
pub(super) const TOP1: &str = "test/top1";

/// The numbers of an epoch, where routing has spots of these names, and the best top-1 accuracy so far is
/// `best`.
pub(super) fn scalars(metrics: &EpochMetrics, spots: &[String], best: f64) -> Vec<Value> {
    let EpochMetrics { train, test, .. } = metrics;
    let values = [
        ("learning_rate", Some(metrics.lr)),
        ("train/loss", Some(train.loss)),
        ("train/routing", train.routing),
        ("train/top1", Some(train.top1)),
        ("train/top5", Some(train.top5)),
        ("test/loss", Some(test.loss)),
        (TOP1, Some(test.top1)),
        (BEST, Some(best)),
        ("test/top5", Some(test.top5)),
        ("teacher/top1", metrics.teacher_top1),
    ];
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
    parts.chain(terms).chain(shares).chain(peers).collect()
}

fn scalar(tag: String, value: f64) -> Value {
    Value {
        tag,
        metadata: None,
        content: Some(Content::Simple(value as f32)),
    }
}
