// Package doctor looks for what is wrong with a store and with the settings that lead to
// it, and says what to do.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// Level says how bad a Finding is.
type Level string

// The levels.
const (
	Good Level = "ok"
	Warn Level = "warning"
	Bad  Level = "problem"
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"` // a stable name, such as "acl"
	Text  string `json:"text"`  // what is so, and what to do
}

// examination is one run of the doctor.
type examination struct {
	t      *target.Target
	now    func() time.Time
	report func(Finding)
}

func (x *examination) good(check, format string, args ...any) {
	x.report(Finding{Good, check, fmt.Sprintf(format, args...)})
}

func (x *examination) warn(check, format string, args ...any) {
	x.report(Finding{Warn, check, fmt.Sprintf(format, args...)})
}

func (x *examination) bad(check, format string, args ...any) {
	x.report(Finding{Bad, check, fmt.Sprintf(format, args...)})
}

// Examine opens the store of c without checking it, looks at everything it can, and calls
// report with each finding. It writes nothing. The error matches [core.ErrUnavailable] if
// the store cannot be reached; problems are no error.
func Examine(ctx context.Context, c target.Config, report func(Finding)) error {
	x := &examination{report: report, now: c.Now}
	if !x.settings(&c) {
		return nil
	}
	c.SkipCheck = true
	t, err := target.Open(c)
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	x.t = t
	err = t.Check()
	switch {
	case errors.Is(err, core.ErrUnavailable):
		return err
	case err != nil:
		x.bad("store", "%s: %v", t.Label, err)
	default:
		x.good("store", "%s answers and can be used", t.Label)
	}
	if t.Redis != nil {
		x.redis(ctx)
	}
	if t.SQL != nil {
		x.database(ctx)
	}
	if err == nil && t.CanWalk() {
		x.sample(ctx)
	}
	return nil
}

// settings looks at the environment. It reports whether a store can be opened with it.
func (x *examination) settings(c *target.Config) bool {
	usable := true
	config, err := core.ConfigFromEnv("SESSION_")
	if err != nil {
		x.bad("config", "%v", err)
		usable = false
	} else {
		x.good("config", "SESSION_* can be read")
	}
	if config.Development || config.InsecureAllowHTTP {
		x.warn("config", "SESSION_DEVELOPMENT or SESSION_INSECURE_ALLOW_HTTP is set: cookies travel unencrypted; not for production")
	}
	a, b := os.Getenv("SATCHEL_STORE"), os.Getenv("REDIS_URL")
	if c.URL == "" && a != "" && b != "" && a != b {
		x.warn("config", "SATCHEL_STORE and REDIS_URL name different stores; this looks at SATCHEL_STORE: which one has the application?")
	}
	for _, name := range []string{"SESSION_KEYS", "STORE_KEYS"} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		if _, err := sealed.ParseKeyring(text); err != nil {
			x.bad("keys", "%s: %v", name, err)
			usable = usable && name != "STORE_KEYS"
		} else {
			x.good("keys", "%s can be used", name)
		}
	}
	if text := os.Getenv("STORE_KEYS"); text != "" && text == os.Getenv("SESSION_KEYS") {
		x.warn("keys", "STORE_KEYS and SESSION_KEYS are the same: give each its own, so that one leak is not two")
	}
	return usable
}

// sampleSize is how many sessions the doctor reads.
const sampleSize = 1000

// sample reads some sessions, and tells what kinds of them cannot be read.
func (x *examination) sample(ctx context.Context) {
	var read, newer, encrypted, other int
	err := x.t.Walk(ctx, func(ids []core.ID) error {
		ids = ids[:min(len(ids), sampleSize-read)]
		for _, item := range x.t.LoadAll(ctx, ids) {
			switch {
			case errors.Is(item.Err, core.ErrNotFound):
				continue
			case item.Err == nil:
			case item.Sealed():
				encrypted++
			case errors.Is(item.Err, core.ErrNewerVersion):
				newer++
			case errors.Is(item.Err, core.ErrCorrupt):
				other++
			default:
				return item.Err
			}
			read++
		}
		if read >= sampleSize {
			return target.ErrEnough
		}
		return nil
	})
	switch {
	case err != nil:
		x.bad("sessions", "they cannot be read: %v", err)
	case encrypted > 0:
		x.bad("sessions", "%d of %d are encrypted: set STORE_KEYS as the application has it", encrypted, read)
	}
	if newer > 0 {
		x.bad("sessions", "%d of %d were written by a newer release: update this program, and the instances that lag behind", newer, read)
	}
	switch {
	case other > 0 && x.t.Keys != nil:
		x.bad("sessions", "%d of %d do not open with STORE_KEYS: they are not encrypted, or with a key that is not in it", other, read)
	case other > 0:
		x.bad("sessions", "%d of %d are not Satchel's: another program or library writes under the prefix %s", other, read, x.t.Prefix)
	}
	if err == nil && encrypted+newer+other == 0 {
		x.good("sessions", "%s can be read", target.Plural(read, "sampled session"))
	}
}

// clock compares the server's clock with this machine's.
func (x *examination) clock(server time.Time) {
	if off := server.Sub(x.now()).Round(time.Second).Abs(); off > 5*time.Second {
		x.warn("clock", "the server's clock and this machine's differ by %v: sessions expire by the application servers' clocks: keep all in step", off)
	} else {
		x.good("clock", "the server's clock and this machine's agree")
	}
}
