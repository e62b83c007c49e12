package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/mattn/go-isatty"
)

// IO is what a run of the program reads and writes. Data goes to Out, talk to Err.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Asks     bool // there is somebody to ask: In and Err are a terminal
	Colours  bool // on Out
	Progress bool // on Err
	Same     bool // Out and Err are one terminal
	Now      func() time.Time

	shown *bool // progress is on the line
}

// Terminal returns the process' own.
func Terminal() IO {
	return terminal(isatty.IsTerminal(os.Stdin.Fd()), isatty.IsTerminal(os.Stdout.Fd()), isatty.IsTerminal(os.Stderr.Fd()))
}

// terminal is Terminal, given which of the three are terminals.
func terminal(in, out, err bool) IO {
	dumb := os.Getenv("TERM") == "dumb"
	return IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now,
		Asks:     in && err,
		Colours:  out && os.Getenv("NO_COLOR") == "" && !dumb,
		Progress: err && !dumb,
		Same:     out && err,
		shown:    new(bool),
	}
}

func (o *IO) printf(format string, args ...any) error {
	if o.Same {
		o.clear()
	}
	_, err := fmt.Fprintf(o.Out, format, args...)
	return err
}

// say writes a line of talk.
func (o *IO) say(format string, args ...any) {
	o.clear()
	_, _ = fmt.Fprintf(o.Err, format+"\n", args...)
}

// progress shows a line that the next one replaces.
func (o *IO) progress(format string, args ...any) {
	if o.Progress {
		_, _ = fmt.Fprintf(o.Err, "\r\x1b[K"+format, args...)
		if o.shown != nil {
			*o.shown = true
		}
	}
}

func (o *IO) clear() {
	if o.shown != nil && *o.shown {
		_, _ = fmt.Fprint(o.Err, "\r\x1b[K")
		*o.shown = false
	}
}

// seldom returns f, to be called as often as one likes: it runs five times a second.
func seldom(f func(int)) func(int) {
	var last time.Time
	return func(n int) {
		if now := time.Now(); now.Sub(last) > time.Second/5 {
			last = now
			f(n)
		}
	}
}

// object writes v as one line of JSON. Control characters of any kind are escaped.
func (o *IO) object(v any) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var line strings.Builder
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		switch {
		case unicode.IsPrint(r):
			line.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&line, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&line, `\u%04x`, r)
		}
	}
	return o.printf("%s\n", line.String())
}

// either writes v as JSON if that is asked for, else a text.
func (a *app) either(v any, format string, args ...any) error {
	if a.json {
		return a.object(v)
	}
	return a.printf(format, args...)
}

// text returns what somebody chose, such as a user, safe for a terminal: quoted if it
// is empty or has a space or anything that does not print.
func text(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '"' || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

// printable returns s with what does not print escaped.
func printable(s string) string {
	var out strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return out.String()
}

// moment returns t for a table.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func (o *IO) colour(code int, s string) string {
	if !o.Colours {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, s)
}

// answer asks a question and returns the line that is typed, or "" on Ctrl-C.
func (o *IO) answer(ctx context.Context, question string) string {
	o.clear()
	_, _ = fmt.Fprint(o.Err, question)
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(o.In).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case line := <-typed:
		return line
	case <-ctx.Done():
		_, _ = fmt.Fprintln(o.Err)
		return ""
	}
}
