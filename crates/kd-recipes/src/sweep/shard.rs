//! Parts of a sweep for the tasks of a cluster.

use std::str::FromStr;

use super::error::SweepError;

/// Part `index` of `of` parts of a sweep, as in `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The part, from 1.
    pub(super) index: usize,
    /// The number of parts.
    pub(super) of: usize,
}

impl FromStr for Shard {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(SweepError::Shard(text.to_owned())),
        }
    }
}

/// A job array script, one shard a task. `arguments` are those of `kd` that plan the sweep.
pub fn slurm(name: &str, arguments: &[String], shards: usize) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!(
        "#!/bin/sh\n\
         #SBATCH --job-name={name}\n\
         #SBATCH --array=1-{shards}\n\
         #SBATCH --output={name}-%a.log\n\
         # Time, memory, partition and GPU are your cluster's: add their lines here.\n\
         exec kd {} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\"\n",
        quoted.join(" ")
    )
}

/// An argument as a shell reads it back.
pub fn quoted(argument: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,:+@%".contains(letter);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_so_many() {
        let shard: Shard = "2/8".parse().expect("a shard");
        assert_eq!(shard, Shard { index: 2, of: 8 });
        for wrong in ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_script_has_the_arguments_as_they_were() {
        let arguments = ["sweep", "my file.yaml", "--set", "losses.0.label=it's"];
        let arguments: Vec<String> = arguments.map(str::to_owned).into();
        let script = slurm("kd-mine", &arguments, 3);
        assert!(script.contains("#SBATCH --array=1-3\n"), "{script}");
        let line = r#"exec kd sweep 'my file.yaml' --set 'losses.0.label=it'\''s' --shard "$SLURM_ARRAY_TASK_ID/3""#;
        assert!(script.contains(line), "{script}");
    }
}
