package cli

// TerminalOf is Terminal, given which of the three streams are terminals.
var TerminalOf = terminal
