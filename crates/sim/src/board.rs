//! Every defence against every scenario: runs, tables, CSV, JSON, figures and goals.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde::Serialize;

use crate::{
    DefenceId, Interval, Measured, Scenario, Summary,
    figures::{Figure, Line},
    measure::DECILES,
    play,
};

/// The runs to make.
#[derive(Clone)]
pub struct Request {
    /// The scenarios.
    pub scenarios: Vec<&'static Scenario>,
    /// The defences.
    pub defences: Vec<DefenceId>,
    /// The seeds.
    pub seeds: std::ops::Range<u64>,
    /// Accounts per world.
    pub accounts: u32,
    /// The number of threads.
    pub threads: usize,
}

/// The progress of a board.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Completed runs.
    pub done: usize,
    /// All runs.
    pub of: usize,
}

/// The results of one defence in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The scenario's id.
    pub scenario: &'static str,
    /// The defence's name.
    pub defence: String,
    /// The summary of its runs.
    pub summary: Summary,
}

/// The results of all runs.
#[derive(Clone, Debug, Serialize)]
pub struct Board {
    /// The version of this format.
    pub schema: &'static str,
    /// Accounts per world.
    pub accounts: u32,
    /// The first seed, and the one after the last.
    pub seeds: [u64; 2],
    /// Its cells, by scenario and then by defence.
    pub cells: Vec<Cell>,
}

/// A goal and the result.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    /// The scenario's id.
    pub scenario: &'static str,
    /// The goal.
    pub wanted: String,
    /// The result.
    pub got: String,
    /// Whether the goal is met.
    pub reached: bool,
}

impl Request {
    /// Returns the number of runs.
    pub fn runs(&self) -> usize {
        self.jobs().len()
    }

    /// Returns scenario, defence and seed of each run. Outages are played only in S15.
    fn jobs(&self) -> Vec<(usize, usize, u64)> {
        let mut jobs = Vec::new();
        for seed in self.seeds.clone() {
            for (place, scenario) in self.scenarios.iter().enumerate() {
                let apply = |defence: &DefenceId| {
                    !DefenceId::OUTAGES.contains(defence) || scenario.id == "S15"
                };
                let defences = self.defences.iter().enumerate();
                let defences = defences.filter(|(_, defence)| apply(defence));
                jobs.extend(defences.map(|(number, _)| (place, number, seed)));
            }
        }
        jobs
    }
}

impl Board {
    /// Runs a request; calls `told` after each run.
    pub fn run(request: &Request, told: impl Fn(Progress) + Sync) -> Self {
        let jobs = request.jobs();
        let next = AtomicUsize::new(0);
        let runs: Mutex<BTreeMap<(usize, usize, u64), Measured>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..request.threads.max(1) {
                scope.spawn(|| {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (scenario, defence, seed) = *job;
                        let (scenario, defence) =
                            (request.scenarios[scenario], request.defences[defence]);
                        let run = play(scenario, defence, request.accounts, seed);
                        let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
                        runs.insert(*job, run);
                        let done = runs.len();
                        drop(runs);
                        told(Progress {
                            done,
                            of: jobs.len(),
                        });
                    }
                });
            }
        });
        let runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self {
            schema: "doorwarden/board/1",
            accounts: request.accounts,
            seeds: [request.seeds.start, request.seeds.end],
            cells: cells(request, &runs),
        }
    }

    /// Returns the summary of a defence in a scenario.
    pub fn cell(&self, scenario: &str, defence: &str) -> Option<&Summary> {
        let mut cells = self.cells.iter();
        let cell = cells.find(|cell| cell.scenario == scenario && cell.defence == defence)?;
        Some(&cell.summary)
    }

    fn of(&self, scenario: &'static str) -> impl Iterator<Item = &Cell> {
        self.cells
            .iter()
            .filter(move |cell| cell.scenario == scenario)
    }

    fn scenarios(&self) -> Vec<&'static str> {
        let mut seen: Vec<&'static str> = Vec::new();
        for cell in &self.cells {
            if seen.last() != Some(&cell.scenario) {
                seen.push(cell.scenario);
            }
        }
        seen
    }

    /// Returns all cells as CSV, one per line.
    pub fn csv(&self) -> String {
        let mut csv = String::from(
            "scenario,defence,compromised_1h,compromised_1d,compromised_7d,compromised_30d,\
             compromised_30d_half,after_retroaction,passwords_learned,guesses_per_account,denied,stepped_up,\
             delayed,affected,affected_half,users_affected,denied_on_device,tpr_0.0001,tpr_0.001,tpr_0.005,\
             tpr_0.01,auc,detected_after_attempts,detected_after_hours,addresses,hashes_saved,most_in_window\n",
        );
        for Cell {
            scenario,
            defence,
            summary: s,
        } in &self.cells
        {
            let mean =
                |interval: Option<Interval>| interval.map_or(String::new(), |i| i.mean.to_string());
            let tpr = |place: usize| mean(s.tpr.map(|tpr| tpr[place]));
            let fields = [
                (*scenario).to_owned(),
                defence.clone(),
                s.taken[0].mean.to_string(),
                s.taken[1].mean.to_string(),
                s.taken[2].mean.to_string(),
                s.taken[3].mean.to_string(),
                s.taken[3].half.to_string(),
                s.kept.mean.to_string(),
                s.confirmed.mean.to_string(),
                mean(s.guesses_per_account),
                s.denied.mean.to_string(),
                s.stepped_up.mean.to_string(),
                s.delayed.mean.to_string(),
                s.harm.mean.to_string(),
                s.harm.half.to_string(),
                s.ever_hurt.mean.to_string(),
                s.refused_on_device.to_string(),
                tpr(0),
                tpr(1),
                tpr(2),
                tpr(3),
                mean(s.auc),
                mean(s.caught_after_attempts),
                mean(s.caught_after_hours),
                s.addresses.mean.to_string(),
                s.hashes_saved.mean.to_string(),
                s.most_in_window.to_string(),
            ];
            // Writing into a string does not fail.
            let _ = writeln!(csv, "{}", fields.join(","));
        }
        csv
    }

    /// Returns a table of the cells of a scenario in Markdown.
    pub fn table(&self, scenario: &'static str) -> String {
        let mut table = String::from(
            "| defence | compromised of 10,000 | after retroaction | passwords learned | legitimate logins affected | denied | stepped up | users affected | TPR at 0.1 % | at 0.5 % |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for Cell {
            defence,
            summary: s,
            ..
        } in self.of(scenario)
        {
            let tpr = |place: usize| s.tpr.map_or("–".into(), |tpr| percent(tpr[place].mean, 1));
            let _ = writeln!(
                table,
                "| {defence} | {} | {:.1} | {:.1} | {} | {} | {} | {} | {} | {} |",
                pair(s.taken[3]),
                s.kept.mean,
                s.confirmed.mean,
                percent(s.harm.mean, 3),
                percent(s.denied.mean, 3),
                percent(s.stepped_up.mean, 3),
                percent(s.ever_hurt.mean, 2),
                tpr(1),
                tpr(2),
            );
        }
        table
    }

    /// Returns named figures as SVG: for each scenario the ROC curve, the compromised accounts over time,
    /// and the affected users by activity.
    pub fn figures(&self) -> Result<Vec<(String, String)>, String> {
        let mut figures = Vec::new();
        for scenario in self.scenarios() {
            let line = |points: &dyn Fn(&Summary) -> Vec<[f64; 2]>| -> Vec<Line> {
                let lines = self.of(scenario).map(|cell| Line {
                    name: cell.defence.clone(),
                    points: points(&cell.summary),
                });
                lines.filter(|line| !line.points.is_empty()).collect()
            };
            let by_decile = |s: &Summary| -> Vec<[f64; 2]> {
                (0..DECILES)
                    .map(|d| [d as f64 + 1.0, s.ever_hurt_by_decile[d] * 100.0])
                    .collect()
            };
            let of = [
                (
                    "roc",
                    "Hostile logins with the correct password caught",
                    "legitimate logins caught",
                    "share caught",
                    true,
                    line(&|s| s.roc.clone()),
                ),
                (
                    "compromised",
                    "Compromised accounts of 10,000",
                    "hours of attack",
                    "accounts",
                    false,
                    line(&|s| s.over_time.clone()),
                ),
                (
                    "affected",
                    "Users ever denied or stepped up",
                    "activity decile",
                    "% of users",
                    false,
                    line(&by_decile),
                ),
            ];
            for (name, title, across, up, logarithmic, lines) in of {
                if lines.is_empty() {
                    continue;
                }
                let title = format!("{scenario}: {title}");
                let figure = Figure {
                    title: &title,
                    across,
                    up,
                    logarithmic,
                    lines,
                };
                figures.push((format!("{scenario}-{name}"), figure.svg()?));
            }
        }
        Ok(figures)
    }

    /// Returns the goals for Doorwarden whose scenarios were run.
    pub fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for scenario in self.scenarios() {
            goals.extend(self.beside_rivals(scenario));
            goals.extend(self.special(scenario));
        }
        goals
    }

    /// Returns the goal of S1 to S7 and S9 to S13: a tenth of the accounts that are compromised with the
    /// best rival among those that affect no more legitimate logins.
    fn beside_rivals(&self, scenario: &'static str) -> Option<Goal> {
        const JUDGED: [&str; 12] = [
            "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S9", "S10", "S11", "S12", "S13",
        ];
        if !JUDGED.contains(&scenario) {
            return None;
        }
        let ours = self.cell(scenario, OURS)?;
        let order = |a: &&Cell, b: &&Cell| {
            let key = |cell: &Cell| (cell.summary.taken[3].mean, cell.summary.harm.mean);
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        };
        let rivals = || {
            self.of(scenario)
                .filter(|cell| !cell.defence.starts_with("D12"))
        };
        // Not empty: doing nothing affects no one.
        let gentle = rivals().filter(|cell| cell.summary.harm.mean <= ours.harm.mean);
        let best = gentle.min_by(order)?;
        let any = rivals().min_by(order)?;
        let taken = best.summary.taken[3].mean;
        Some(Goal {
            scenario,
            wanted: format!(
                "at most a tenth of the {taken:.1} accounts of 10,000 compromised with {}, the best rival that \
                 affects no more legitimate logins (best of all: {} with {:.1}, affecting {})",
                best.defence,
                any.defence,
                any.summary.taken[3].mean,
                percent(any.summary.harm.mean, 3),
            ),
            got: format!(
                "{}, affecting {}",
                pair(ours.taken[3]),
                percent(ours.harm.mean, 3)
            ),
            reached: ours.taken[3].mean <= taken / 10.0,
        })
    }

    fn special(&self, scenario: &'static str) -> Option<Goal> {
        let ours = self.cell(scenario, OURS)?;
        let tpr = |place: usize| ours.tpr.map_or(0.0, |tpr| tpr[place].mean);
        let (wanted, got, reached) = match scenario {
            "S2" => (
                "99 % of correct guesses caught at 0.1 % of legitimate logins".to_owned(),
                percent(tpr(1), 2),
                tpr(1) >= 0.99,
            ),
            "S6" => (
                "95 % of valid pairs caught at 0.5 % of legitimate logins".to_owned(),
                percent(tpr(2), 2),
                tpr(2) >= 0.95,
            ),
            "S8" => (
                "no owner denied on a known device".to_owned(),
                ours.refused_on_device.to_string(),
                ours.refused_on_device == 0,
            ),
            "S10" => {
                let control = self.cell("S10-control", OURS)?.campus_harm.mean;
                let with = ours.campus_harm.mean;
                (
                    format!(
                        "campus logins affected at most 1.2 times as often as without the attacker ({})",
                        percent(control, 4)
                    ),
                    percent(with, 4),
                    with <= control * 1.2,
                )
            }
            "S15" => {
                let local = self.cell(scenario, &DefenceId::OutageLocal.name())?;
                // The shares of four nodes, and the same again from networks that the account knows.
                let bound = 2 * 4 * (10 / 4);
                (
                    format!("at most {bound} guesses per account in 15 minutes during the outage"),
                    local.most_in_window.to_string(),
                    local.most_in_window <= bound,
                )
            }
            "S16" => {
                let ignorant = self.cell("S2", OURS)?;
                let (knowing, ignorant) = (ours.taken[3].mean, ignorant.taken[3].mean);
                (
                    format!(
                        "at most twice the {ignorant:.2} accounts compromised in S2, without that knowledge"
                    ),
                    format!("{knowing:.2}"),
                    knowing <= 2.0 * ignorant,
                )
            }
            _ => return None,
        };
        Some(Goal {
            scenario,
            wanted,
            got,
            reached,
        })
    }
}

const OURS: &str = "D12-doorwarden";

fn cells(request: &Request, runs: &BTreeMap<(usize, usize, u64), Measured>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (place, scenario) in request.scenarios.iter().enumerate() {
        for (number, defence) in request.defences.iter().enumerate() {
            let own = request
                .seeds
                .clone()
                .filter_map(|seed| runs.get(&(place, number, seed)));
            let own: Vec<Measured> = own.cloned().collect();
            cells.extend(Summary::of(&own).map(|summary| Cell {
                scenario: scenario.id,
                defence: defence.name(),
                summary,
            }));
        }
    }
    cells
}

fn pair(interval: Interval) -> String {
    format!("{:.1} ± {:.1}", interval.mean, interval.half)
}

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SCENARIOS;

    fn board(threads: usize) -> Board {
        let request = Request {
            scenarios: vec![
                Scenario::named("S2").unwrap(),
                Scenario::named("S13").unwrap(),
            ],
            defences: vec![DefenceId::None, DefenceId::Doorwarden],
            seeds: 0..2,
            accounts: 500,
            threads,
        };
        Board::run(&request, |_| {})
    }

    #[test]
    fn the_same_seeds_give_the_same_bytes_on_any_number_of_threads() {
        let (one, two) = (board(1), board(2));
        assert_eq!(one.csv(), two.csv());
        let figures = one.figures().unwrap();
        assert_eq!(figures, two.figures().unwrap());
        assert!(figures.iter().all(|(_, svg)| svg.starts_with("<svg")));
    }

    #[test]
    fn a_defence_takes_accounts_off_the_attacker() {
        let board = board(2);
        for scenario in ["S2", "S13"] {
            let none = board.cell(scenario, "D0-none").unwrap().taken[3].mean;
            let ours = board.cell(scenario, "D12-doorwarden").unwrap().taken[3].mean;
            assert!(
                none > 0.0 && ours < none / 2.0,
                "{scenario}: {ours} of {none}"
            );
        }
        // Twice the limit where a guess comes from a network that the account knows.
        let most = board.cell("S13", "D12-doorwarden").unwrap().most_in_window;
        assert!(most <= 20, "{most}");
    }

    #[test]
    fn names_are_unique_and_come_back() {
        for defence in DefenceId::all() {
            assert_eq!(DefenceId::named(&defence.name()), Some(defence));
        }
        for scenario in &SCENARIOS {
            assert!(std::ptr::eq(
                Scenario::named(scenario.id).unwrap(),
                scenario
            ));
        }
    }
}
