package redistest

import (
	"slices"
	"strings"
)

// Match reports whether a rule applies to a command with its arguments. args[0] is
// the command's name as the client wrote it.
type Match func(args []string) bool

// Command matches commands by name, in any case: Command("EVALSHA", "EVAL").
func Command(names ...string) Match {
	return func(args []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, args[0]) })
	}
}

// Any matches every command.
func Any([]string) bool { return true }

// Always is the number of times that makes a rule apply until [Proxy.Heal].
const Always = -1

// Rule is a fault that waits for matching commands.
type Rule struct {
	proxy *Proxy
	match Match
	left  int // below zero: for ever
	fired int
	act   action
	reply string
}

type action int

const (
	forward action = iota
	cutBefore
	cutAfter
	answer
)

// CutBefore drops the connection of a matching command before the command reaches
// the server, the given number of times. Set-up commands never match. Of several
// matching rules, the one made first acts.
func (p *Proxy) CutBefore(times int, match Match) *Rule {
	return p.add(&Rule{match: match, left: times, act: cutBefore})
}

// CutAfter lets a matching command run on the server, and drops the connection
// when its answer is due: the client never sees it.
func (p *Proxy) CutAfter(times int, match Match) *Rule {
	return p.add(&Rule{match: match, left: times, act: cutAfter})
}

// Answer keeps a matching command from the server and answers it with an error,
// such as "LOADING Redis is loading the dataset in memory".
func (p *Proxy) Answer(times int, match Match, message string) *Rule {
	return p.add(&Rule{match: match, left: times, act: answer, reply: "-" + message + "\r\n"})
}

func (p *Proxy) add(r *Rule) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.proxy = p
	p.rules = append(p.rules, r)
	return r
}

// Fired returns how often the rule has acted.
func (r *Rule) Fired() int {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return r.fired
}

// decide finds the rule for a command, with p.mu held.
func (p *Proxy) decide(args []string) (action, string) {
	for _, r := range p.rules {
		if r.left != 0 && r.match(args) {
			r.left--
			r.fired++
			return r.act, r.reply
		}
	}
	return forward, ""
}

func name(args []string) string { return strings.ToUpper(args[0]) }

func isSetup(args []string) bool {
	switch name(args) {
	case "HELLO", "CLIENT", "AUTH", "SELECT", "PING":
		return true
	}
	return false
}
