//! `plura events`.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::EventsArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{self, Column, cell};

/// Events that are asked for at once.
const PAGE: u32 = 500;
/// The longest event that is read.
const LONGEST: usize = 4 << 20;
/// How long to wait for a server that went away, and how often.
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 60;

const COLUMNS: &[Column] = &[
    ("TIME", |event| cell(&event["time"])),
    ("TYPE", |event| cell(&event["type"])),
    ("SUBJECT", |event| cell(&event["subject"])),
    ("ACTOR", |event| cell(&event["actor"]["name"])),
];

pub(super) fn run(args: &EventsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        let client = ApiClient::of(&args.server).await?;
        if args.follow {
            follow(&client, args, printer).await
        } else {
            list(&client, args, printer).await
        }
    })
}

fn ask(args: &EventsArgs, since: Option<Timestamp>, after: Option<&str>) -> Ask {
    // Where the page before ended says more than a time.
    let since = since.filter(|_| after.is_none());
    Ask::api(Method::GET, ["events"])
        .query("project", args.project.as_ref())
        .query("type", args.kinds.as_ref())
        .query("since", since)
        .query("after", after)
}

async fn list(
    client: &ApiClient,
    args: &EventsArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let day = SignedDuration::from_hours(24);
    let since = args.since.or_else(|| Timestamp::now().checked_sub(day).ok());
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let ask = ask(args, since, after.as_deref()).query("limit", Some(PAGE));
        let mut answer = client.ask(ask).await?;
        let page = listed(&mut answer, "events")?;
        if args.jsonl {
            lines(&page, printer)?;
        } else {
            events.extend(page);
        }
        let next = answer["next"].as_i64().map(|next| next.to_string());
        match next {
            // A server that repeats itself must not keep us for ever.
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => break,
        }
    }
    if !args.jsonl && events.is_empty() {
        printer.note("nothing happened");
    } else if !args.jsonl {
        printer.data(table::listed(&events, COLUMNS))?;
    }
    Ok(ExitStatus::Done)
}

/// Where a stream has got to.
struct Reading {
    last: Option<String>,
    failures: u32,
}

/// A server that stops, and one that ends a stream to ask again who follows, is asked again.
async fn follow(
    client: &ApiClient,
    args: &EventsArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut reading = Reading { last: None, failures: 0 };
    loop {
        let ask = ask(args, args.since, reading.last.as_deref()).accept("text/event-stream");
        match client.send(ask).await {
            Ok(response) if response.status().is_success() => {
                read(response, args, &mut reading, printer).await?;
            }
            Ok(response) if !response.status().is_server_error() => {
                crate::api_client::answer(response).await?;
            }
            // Somebody who never saw it wants to know at once that it is not there.
            Err(error) if reading.last.is_none() => return Err(error),
            Err(error) if reading.failures >= PATIENCE => return Err(error),
            _ => {}
        }
        reading.failures += 1;
        ensure!(reading.failures <= PATIENCE, "the server does not tell what happens");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read(
    mut response: Response,
    args: &EventsArgs,
    reading: &mut Reading,
    printer: &Printer,
) -> anyhow::Result<()> {
    let mut text = Vec::new();
    // A connection that breaks off is what it is when a server stops: ask again, behind the last event.
    while let Ok(Some(chunk)) = response.chunk().await {
        reading.failures = 0;
        text.extend_from_slice(&chunk);
        ensure!(text.len() <= LONGEST, "an event is too long");
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = text.drain(..end + 2).collect();
            let text = std::str::from_utf8(&block).context("the answer is not text")?;
            if let Some(event) = field(text, "data") {
                print(
                    &serde_json::from_str(event).context("an event is not JSON")?,
                    args,
                    printer,
                )?;
            }
            // What has an id and nothing else is where it begins.
            let id = field(text, "id").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
            reading.last = id.map(str::to_owned).or_else(|| reading.last.take());
        }
    }
    Ok(())
}

/// What a block of lines has under that name.
fn field<'t>(block: &'t str, name: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.strip_prefix(name)?.strip_prefix(':');
    block.lines().find_map(value).map(str::trim_start)
}

fn print(event: &Value, args: &EventsArgs, printer: &Printer) -> anyhow::Result<()> {
    if args.jsonl {
        return lines(std::slice::from_ref(event), printer);
    }
    // Columns cannot wait for what comes later, so there are none.
    let cells: Vec<String> = COLUMNS.iter().map(|(_, cell)| cell(event)).collect();
    printer.data(format!("{}\n", cells.join("  ")))?;
    Ok(())
}

fn lines(events: &[Value], printer: &Printer) -> anyhow::Result<()> {
    let lines = events.iter().flat_map(|event| [event.to_string(), "\n".to_owned()]);
    printer.data(lines.collect::<String>())?;
    Ok(())
}
