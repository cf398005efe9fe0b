//! The configured memory for counters.

use serde::Deserialize;

/// Memory for counters: 1 to 65536 MiB. A counter takes 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct MemoryBudget(u32);

/// The memory budget is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid memory budget {0}; use 1 to 65536 MiB (64 MiB hold two million counters)")]
pub struct InvalidMemoryBudget(i64);

impl MemoryBudget {
    /// Returns the budget in bytes.
    pub const fn bytes(self) -> usize {
        (self.0 as usize).saturating_mul(1 << 20)
    }
}

impl Default for MemoryBudget {
    /// Returns 64 MiB.
    fn default() -> Self {
        Self(64)
    }
}

impl TryFrom<i64> for MemoryBudget {
    type Error = InvalidMemoryBudget;

    fn try_from(mib: i64) -> Result<Self, InvalidMemoryBudget> {
        match u32::try_from(mib) {
            Ok(mib @ 1..=65_536) => Ok(Self(mib)),
            _ => Err(InvalidMemoryBudget(mib)),
        }
    }
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_from_one_to_65536_mebibytes() {
        for mib in [1, 64, 65_536] {
            let budget = MemoryBudget::try_from(mib).unwrap();
            assert_eq!(budget.bytes() as i64, mib << 20);
        }
        for mib in [i64::MIN, -1, 0, 65_537, i64::MAX] {
            let message = MemoryBudget::try_from(mib).unwrap_err().to_string();
            assert!(message.contains("1 to 65536 MiB"), "{message}");
        }
        assert_eq!(MemoryBudget::default().bytes(), 64 << 20);
    }
}
