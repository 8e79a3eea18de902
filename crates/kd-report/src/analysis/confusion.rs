//! Which classes are taken for which.

use super::Predictions;

/// Counts of images by class and by the class that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// For each class, how many of its images were taken for each class.
    pub counts: Vec<Vec<usize>>,
}

/// A class that is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confused {
    /// The class of the images.
    pub class: usize,
    /// The class that was chosen.
    pub chosen: usize,
    /// The number of these images.
    pub images: usize,
}

/// Counts images by class and by the class that was chosen.
pub fn confusion(predictions: &Predictions) -> Confusion {
    let classes = predictions.classes();
    let mut counts = vec![vec![0; classes]; classes];
    for (label, choice) in predictions.labels().iter().zip(predictions.choices()) {
        counts[*label][*choice] += 1;
    }
    Confusion { counts }
}

impl Confusion {
    /// The share of each class's images that were taken for each class; NaN for a class without
    /// images.
    pub fn shares(&self) -> Vec<Vec<f64>> {
        let row = |row: &Vec<usize>| {
            let images: usize = row.iter().sum();
            row.iter()
                .map(|count| *count as f64 / images as f64)
                .collect()
        };
        self.counts.iter().map(row).collect()
    }

    /// The share of each class's images on which the network is right; `None` for a class without
    /// images.
    pub fn accuracies(&self) -> Vec<Option<f64>> {
        let rows = self.counts.iter().enumerate();
        rows.map(|(class, row)| {
            let images: usize = row.iter().sum();
            (images > 0).then(|| row[class] as f64 / images as f64)
        })
        .collect()
    }

    /// The most frequent mistakes, at most so many; of equal ones the first classes.
    pub fn most_confused(&self, count: usize) -> Vec<Confused> {
        let rows = self.counts.iter().enumerate();
        let mut mistakes: Vec<Confused> = rows
            .flat_map(|(class, row)| {
                let cells = row.iter().enumerate();
                cells.map(move |(chosen, images)| Confused {
                    class,
                    chosen,
                    images: *images,
                })
            })
            .filter(|mistake| mistake.class != mistake.chosen && mistake.images > 0)
            .collect();
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.images));
        mistakes.truncate(count);
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_counted_by_class_and_choice() {
        // Choices 0, 1, 1, 0 of labels 0, 0, 1, 1; nothing of class 2.
        let rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]].concat();
        let rows = [rows, vec![1.0, 0.0, 0.0]].concat();
        let predictions = Predictions::new(rows, vec![0, 0, 1, 1], 3).expect("predictions");
        let found = confusion(&predictions);
        assert_eq!(found.counts, [[1, 1, 0], [1, 1, 0], [0, 0, 0]]);
        assert_eq!(found.accuracies(), [Some(0.5), Some(0.5), None]);
        assert_eq!(found.shares()[0], [0.5, 0.5, 0.0]);
        assert!(found.shares()[2].iter().all(|share| share.is_nan()));
        let mistake = |class, chosen| Confused {
            class,
            chosen,
            images: 1,
        };
        assert_eq!(found.most_confused(9), [mistake(0, 1), mistake(1, 0)]);
        assert_eq!(found.most_confused(1), [mistake(0, 1)]);
    }
}
