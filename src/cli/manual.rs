//! `headwater completions` and `headwater man`: what a shell and `man` need, made from the same table as `--help`.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use clap_complete::aot::generate;

const SHELLS: &[(&str, Shell)] =
    &[("bash", Shell::Bash), ("elvish", Shell::Elvish), ("fish", Shell::Fish), ("powershell", Shell::PowerShell), ("zsh", Shell::Zsh)];

const NAME: &str = "headwater";

pub(super) fn commands() -> [Command; 2] {
    let shell = Arg::new("shell").required(true).value_parser(PossibleValuesParser::new(SHELLS.iter().map(|(name, _)| *name)));
    [
        Command::new("completions")
            .about("Print the completions of a shell, such as: headwater completions bash > headwater.bash")
            .arg(shell),
        Command::new("man").about("Print the manual page, such as: headwater man > headwater.1"),
    ]
}

/// What is to be printed, if one of the two was asked for. `whole` is the whole command line.
pub(super) fn text(matches: &ArgMatches, whole: fn() -> Command) -> Option<String> {
    if let Some(matches) = matches.subcommand_matches("completions") {
        let asked = matches.get_one::<String>("shell")?;
        let (_, shell) = SHELLS.iter().find(|(name, _)| name == asked)?;
        let mut out = Vec::new();
        generate(*shell, &mut whole(), NAME, &mut out);
        return String::from_utf8(out).ok();
    }
    matches.subcommand_matches("man").and_then(|_| manual(whole()).ok())
}

/// One page with all verbs: a heading for each.
fn manual(mut whole: Command) -> std::io::Result<String> {
    whole.build();
    let mut out = Vec::new();
    clap_mangen::Man::new(whole.clone()).render(&mut out)?;
    for verb in whole.get_subcommands().filter(|verb| !matches!(verb.get_name(), "help" | "serve")) {
        let page = clap_mangen::Man::new(verb.clone());
        out.extend_from_slice(format!(".SH \"HEADWATER {}\"\n", verb.get_name().to_uppercase()).as_bytes());
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        out.extend_from_slice(format!("{}.\n", about.replace('\\', "\\\\")).as_bytes());
        page.render_options_section(&mut out)?;
    }
    String::from_utf8(out).map_err(std::io::Error::other)
}
