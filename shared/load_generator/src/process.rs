//! What processes use, from `/proc` (proc_pid_stat(5)). Elsewhere than on Linux nothing is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Processor time and memory of a process and all that descend from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time, with that of children who ended and were waited for: it does not fall when
    /// a worker is replaced.
    pub(crate) cpu: Duration,
    /// Resident memory, in KiB.
    pub(crate) rss_kib: u64,
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// The usage of the tree under `pid`; None when there is no such process.
pub(crate) fn usage_of_tree(pid: u32) -> Option<Usage> {
    let mut ticks = 0;
    let mut rss_kib = 0;
    for (pid, of_one) in tree(pid)? {
        ticks += of_one;
        rss_kib += resident_kib(pid).unwrap_or_default();
    }
    Some(Usage {
        cpu: of_ticks(ticks),
        rss_kib,
    })
}

/// A process and all that descend from it, with their ticks.
fn tree(root: u32) -> Option<Vec<(u32, u64)>> {
    let mut tree = vec![(root, stat(root)?.ticks)];
    let all: BTreeMap<u32, Stat> = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut looked_at = 0;
    while let Some((parent, _)) = tree.get(looked_at).copied() {
        let children = all.iter().filter(|(_, stat)| stat.parent == parent);
        tree.extend(children.map(|(pid, stat)| (*pid, stat.ticks)));
        looked_at += 1;
    }
    Some(tree)
}

/// Processor time of this process alone.
pub(crate) fn own_cpu() -> Option<Duration> {
    stat(std::process::id()).map(|stat| of_ticks(stat.ticks))
}

/// The name of the program, as the kernel has it.
pub(crate) fn name(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(proc(pid, "comm")).ok()?;
    Some(name.trim().to_owned())
}

fn proc(pid: u32, file: &str) -> std::path::PathBuf {
    Path::new("/proc").join(pid.to_string()).join(file)
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(proc(pid, "stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may have blanks and brackets; it ends with the last one.
    let (_, behind) = text.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_ascii_whitespace().collect();
    // The third field of the file is the first here: 4 is ppid, 14 to 17 are utime to cstime.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(field(4)?).ok()?,
        ticks: (14..=17).filter_map(field).sum(),
    })
}

fn resident_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(proc(pid, "status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn of_ticks(ticks: u64) -> Duration {
    let nanos = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    Duration::from_nanos(ticks.saturating_mul(nanos))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_move_the_fields() {
        let text = "42 (a) (b c) S 7 1 1 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 127));
    }

    #[test]
    fn the_tree_has_the_children() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let tree = tree(std::process::id()).unwrap();
        let alone = usage_of_tree(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(tree.iter().any(|(pid, _)| *pid == child.id()));
        assert!(alone.rss_kib > 0, "{alone:?}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_usage() {
        assert_eq!(usage_of_tree(u32::MAX), None);
    }
}
