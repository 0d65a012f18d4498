//! What the operating system says of this process, read when somebody scrapes.

use std::fs;

use prometheus::{Counter, IntGauge};

use super::build::Build;

/// Memory, files and processor time of this process. Where `/proc` cannot be read, they keep their last values.
#[derive(Clone, Debug)]
pub(super) struct ProcessMetrics {
    resident_bytes: IntGauge,
    open_fds: IntGauge,
    threads: IntGauge,
    cpu_seconds: Counter,
}

impl ProcessMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            resident_bytes: build.gauge("tidegate_process_resident_bytes", "Memory in use.")?,
            open_fds: build.gauge("tidegate_process_open_fds", "Open file descriptors.")?,
            threads: build.gauge("tidegate_process_threads", "Threads.")?,
            cpu_seconds: build.seconds_counter(
                "tidegate_process_cpu_seconds_total",
                "Processor time used, user and system.",
            )?,
        })
    }

    pub(super) fn read(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kilobytes) = number_of(&status, "VmRSS:") {
            self.resident_bytes.set(kilobytes.saturating_mul(1024));
        }
        if let Some(threads) = number_of(&status, "Threads:") {
            self.threads.set(threads);
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory being read.
            let open = entries.count().saturating_sub(1);
            self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
    }
}

/// The number after `key` at the beginning of a line.
fn number_of(status: &str, key: &str) -> Option<i64> {
    status.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

/// User and system time of a line of `/proc/<pid>/stat`.
///
/// Source: proc_pid_stat(5): fields 14 and 15, in clock ticks, which Linux shows as hundredths of a second.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name in brackets, which may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_a_name_with_brackets() {
        let stat = "7 (a) b) 3) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (short) S"), None);
    }
}
