//! `doorwarden sim`.

use std::{fs, path::PathBuf, thread, time::Instant};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use doorwarden_sim::{Board, DefenceId, Request, SCENARIOS, Scenario};

use crate::{Failure, logging::Output, out, progress};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A scenario, S0 to S16 (repeatable) [default: all]
    #[arg(long)]
    scenario: Vec<String>,
    /// A defence by its name (repeatable) [default: the board's]
    #[arg(long)]
    defence: Vec<String>,
    /// Also run Doorwarden with each of its signals removed
    #[arg(long)]
    ablations: bool,
    /// The number of seeds
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 100)]
    first_seed: u64,
    /// Accounts in each world
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(200..=1_000_000))]
    accounts: u32,
    /// A first look within a minute: fewer accounts, three seeds, four defences
    #[arg(long)]
    quick: bool,
    /// The number of worlds that run at once [default: the number of cores]
    #[arg(long)]
    threads: Option<usize>,
    /// The directory for board.csv, board.json, board.md and the figures
    #[arg(long, default_value = "doorwarden-board")]
    output: PathBuf,
    /// List the scenarios and defences, and exit
    #[arg(long)]
    list: bool,
}

/// The defences of `--quick`.
const QUICK: [DefenceId; 4] = [
    DefenceId::None,
    DefenceId::Articles,
    DefenceId::StopGuessingMended,
    DefenceId::Doorwarden,
];

pub(crate) fn sim(args: Args, output: &Output) -> Result<u8, Failure> {
    if args.list {
        say!("{}", list());
        return Ok(0);
    }
    let started = Instant::now();
    let request = request(&args)?;
    out::prepare_directory(&args.output)?;
    let bar = progress::bar("sim", request.runs() as u64, output.has_progress());
    let board = Board::run(&request, |progress| bar.set_position(progress.done as u64));
    bar.finish_and_clear();
    for scenario in &request.scenarios {
        say!("{} {}", scenario.id, scenario.title);
        say!("{}", table(&board, scenario.id));
    }
    say!("{}", goals(&board));
    write(&args, &request, &board)?;
    say!(
        "{} runs of {} accounts; board.csv, board.json, board.md and figures are in {}",
        request.runs(),
        request.accounts,
        args.output.display()
    );
    say!("took {:.0} s", started.elapsed().as_secs_f64());
    Ok(0)
}

fn request(args: &Args) -> Result<Request, Failure> {
    let scenario = |id: &String| {
        Scenario::named(id)
            .ok_or_else(|| Failure::usage(format!("unknown scenario `{id}`; --list lists them")))
    };
    let defence = |name: &String| {
        DefenceId::named(name)
            .ok_or_else(|| Failure::usage(format!("unknown defence `{name}`; --list lists them")))
    };
    let mut scenarios: Vec<_> = args
        .scenario
        .iter()
        .map(scenario)
        .collect::<Result<_, _>>()?;
    let mut defences: Vec<_> = args.defence.iter().map(defence).collect::<Result<_, _>>()?;
    if scenarios.is_empty() {
        scenarios = SCENARIOS.iter().collect();
    }
    if defences.is_empty() {
        defences = if args.quick {
            QUICK.into()
        } else {
            DefenceId::BOARD.into()
        };
    }
    if args.ablations {
        defences.extend(DefenceId::ABLATIONS);
    }
    if scenarios.iter().any(|scenario| scenario.id == "S15")
        && !args.quick
        && args.defence.is_empty()
    {
        defences.extend(DefenceId::OUTAGES);
    }
    let (seeds, accounts) = if args.quick {
        (3, 500)
    } else {
        (args.seeds, args.accounts)
    };
    Ok(Request {
        scenarios,
        defences,
        seeds: args.first_seed..args.first_seed + seeds,
        accounts,
        threads: args
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
    })
}

fn list() -> String {
    let mut text = String::from("Scenarios\n");
    for scenario in &SCENARIOS {
        text += &format!(
            "  {:<12} {}\n               {}\n",
            scenario.id, scenario.title, scenario.what
        );
    }
    text += "Defences\n";
    for defence in DefenceId::all() {
        text += &format!("  {}\n", defence.name());
    }
    text
}

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", share * 100.0)
}

fn table(board: &Board, scenario: &str) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "defence",
        "compromised of 10,000",
        "legitimate logins affected",
        "denied",
        "stepped up",
        "TPR at 0.1 %",
        "at 0.5 %",
    ]);
    for cell in board.cells.iter().filter(|cell| cell.scenario == scenario) {
        let s = &cell.summary;
        let tpr = |place: usize| s.tpr.map_or("–".into(), |tpr| percent(tpr[place].mean, 1));
        table.add_row([
            cell.defence.clone(),
            format!("{:.1} ± {:.1}", s.taken[3].mean, s.taken[3].half),
            percent(s.harm.mean, 3),
            percent(s.denied.mean, 3),
            percent(s.stepped_up.mean, 3),
            tpr(1),
            tpr(2),
        ]);
    }
    table
}

fn goals(board: &Board) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["scenario", "goal", "result", ""]);
    for goal in board.goals() {
        let reached = if goal.reached { "met" } else { "MISSED" };
        table.add_row([goal.scenario, &goal.wanted, &goal.got, reached]);
    }
    table
}

fn write(args: &Args, request: &Request, board: &Board) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::aborted(format!(
            "failed to write {}: {error}",
            args.output.display()
        ))
    };
    let json = serde_json::to_string_pretty(board).map_err(Failure::aborted)?;
    let mut files = vec![
        ("board.csv".to_owned(), board.csv()),
        ("board.json".to_owned(), json),
        ("board.md".to_owned(), markdown(request, board)),
    ];
    let figures = board.figures().map_err(Failure::aborted)?;
    files.extend(figures.into_iter().map(|(name, svg)| (name + ".svg", svg)));
    for (name, text) in files {
        fs::write(args.output.join(name), text).map_err(failed)?;
    }
    Ok(())
}

/// Renders the page that docs/scoreboard.md is made of.
fn markdown(request: &Request, board: &Board) -> String {
    let mut text = format!(
        "Worlds of {} accounts, seeds {} to {}, means and 95 % intervals by Student's t.\n\n## Goals\n\n\
         | scenario | goal | result | |\n|---|---|---|---|\n",
        board.accounts,
        board.seeds[0],
        board.seeds[1] - 1
    );
    for goal in board.goals() {
        let reached = if goal.reached { "met" } else { "**missed**" };
        text += &format!(
            "| {} | {} | {} | {reached} |\n",
            goal.scenario, goal.wanted, goal.got
        );
    }
    for scenario in &request.scenarios {
        text += &format!(
            "\n## {} {}\n\n{}\n\n{}",
            scenario.id,
            scenario.title,
            scenario.what,
            board.table(scenario.id)
        );
    }
    text
}
