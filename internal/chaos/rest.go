package chaos

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
)

// grace is how long a store may keep a session that has expired, for requests that began
// before (docs/operations.md).
const grace = time.Minute

// atRest looks in the store for the tokens that were handed out, and for what would stay.
func (w *World) atRest() (found []Violation, err error) {
	if w.bytes != nil {
		if found, err = w.tokens(); err != nil {
			return nil, err
		}
	}
	if w.kept != nil {
		found = append(found, w.kept()...)
	}
	return found, nil
}

// tokens finds the secrets of tokens in the store, half of one too: that is as bad. And it
// finds bytes of them that are not random.
func (w *World) tokens() (found []Violation, err error) {
	text, err := w.bytes()
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("%s: nothing is in the store: where are the sessions?", w.Store)
	}
	var values [32]map[byte]bool // of each byte of the secrets
	searched := map[string]*Session{}
	for token, s := range w.load.tokens {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(raw) < 32 {
			return nil, fmt.Errorf("the token of %s is not of a form that the referee knows", s.Tag)
		}
		secret := raw[len(raw)-32:]
		for _, form := range forms(secret) {
			searched[form] = s
		}
		for i, v := range secret {
			if values[i] == nil {
				values[i] = map[byte]bool{}
			}
			values[i][v] = true
		}
	}
	for i := range len(text) - needle + 1 {
		if s := searched[text[i:i+needle]]; s != nil {
			found = append(found, Violation{Rule: "token at rest", Text: "of session " + s.Tag})
		}
	}
	for i, v := range values {
		if n := min(len(w.load.tokens), 100); len(v) < n/4 { // by chance it would be most of n
			found = append(found, Violation{Rule: "random tokens", Text: fmt.Sprintf("byte %d of %d secrets has %d values", i, len(w.load.tokens), len(v))})
		}
	}
	return found, nil
}

// needle is how many bytes of a secret's forms are looked for.
const needle = 16

// forms are what either half of a secret begins with in a text: its bytes, in hex, and in
// base64 wherever its groups of three begin.
func forms(secret []byte) (all []string) {
	for _, half := range [][]byte{secret[:16], secret[16:]} {
		all = append(all, string(half), hex.EncodeToString(half)[:needle])
		for skip := range 3 {
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				all = append(all, encoding.EncodeToString(half[skip:])[:needle])
			}
		}
	}
	return all
}

// Empty waits until nothing is left in the store of sessions that nobody uses any more. What
// is left when it must be gone is a violation.
func (w *World) Empty(ctx context.Context) ([]Violation, error) {
	if w.left == nil {
		return nil, nil
	}
	for deadline := time.Now().Add(w.lasts); ; {
		left, err := w.left()
		if err != nil || len(left) == 0 {
			return nil, err
		}
		if time.Now().After(deadline) {
			return []Violation{{Rule: "left in the store", Text: fmt.Sprintf("%d after %v, such as %q", len(left), w.lasts, left[0])}}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// RevokeAll ends all sessions, and finds tokens that open one all the same.
func (w *World) RevokeAll() ([]Violation, error) {
	ann, bob := w.load.newVisitor("revoke-all-ann"), w.load.newVisitor("revoke-all-bob")
	ann.login()
	bob.login()
	op := ann.ask(ask{kind: "revoke-all", status: http.StatusNotImplemented})
	if op.Status == http.StatusNotImplemented {
		return nil, nil
	}
	ann.dead("revoked", "", "all sessions")
	bob.dead("revoked", "", "all sessions")
	if ann.lost || bob.lost {
		return nil, errors.New("revoke-all: no answer, and no fault")
	}
	return append(ann.session.broken, bob.session.broken...), nil
}

// count asks the probes how many sessions they keep in memory.
func (w *World) count() (left []string, err error) {
	for _, p := range w.probes {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.debug, nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		var vitals struct{ Sessions int }
		err = json.NewDecoder(response.Body).Decode(&vitals)
		_ = response.Body.Close()
		if err != nil || vitals.Sessions < 0 {
			return nil, fmt.Errorf("the probe does not tell how many sessions it has: %w", err)
		}
		for range vitals.Sessions {
			left = append(left, "a session in memory")
		}
	}
	return left, nil
}

// atRestSQL has a database's rows read at the end. The clean-up looks at hours that are over
// only, and once a day at members of the index whose sessions are gone. So once all must
// have expired, this makes the sessions an hour older, and ends the leases of the clean-up.
func (w *World) atRestSQL(driver, source string) error {
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	tables := map[string]string{
		"pgx":    `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`,
		"mysql":  `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()`,
		"sqlite": `SELECT name FROM sqlite_master WHERE type = 'table'`,
	}[driver]
	w.bytes = func() (string, error) {
		names, err := rows(db, tables)
		var all strings.Builder
		for _, name := range names {
			text, e := rows(db, "SELECT * FROM "+name)
			err = errors.Join(err, e)
			all.WriteString(strings.Join(text, "\n"))
		}
		return all.String(), err
	}
	const anHour = 3600 * 1000
	aged := time.Time{}
	w.lasts = idle + grace + 15*time.Second
	w.left = func() ([]string, error) {
		if aged.IsZero() {
			aged = time.Now().Add(idle + grace)
		}
		if time.Now().After(aged) {
			// Once for each row: what lives longer stays where it is, and is found.
			_, err := db.ExecContext(context.Background(), fmt.Sprintf(
				`UPDATE satchel_sessions SET sweep = sweep - 1, expires = expires - %d WHERE expires < %d AND expires > %d`,
				anHour, time.Now().UnixMilli(), time.Now().UnixMilli()-anHour/2))
			_, e := db.ExecContext(context.Background(), `UPDATE satchel_members SET lapses = 0 WHERE length(owner) = 1 AND length(id) = 1`)
			if err := errors.Join(err, e); err != nil {
				return nil, err
			}
		}
		sessions, err := rows(db, `SELECT id, expires, owner FROM satchel_sessions`)
		members, e := rows(db, `SELECT owner, id FROM satchel_members WHERE confirmed = 1 AND length(id) = 16`)
		return append(sessions, members...), errors.Join(err, e)
	}
	return nil
}

// rows returns each row as a text.
func rows(db *sql.DB, query string) (all []string, err error) {
	found, err := db.QueryContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		var text []string
		for _, v := range values {
			text = append(text, string(v))
		}
		all = append(all, strings.Join(text, " "))
	}
	return all, found.Err()
}

// atRestMemcached has the items of a server read at the end.
func (w *World) atRestMemcached(srv *memcachedtest.Server) {
	items := func() (keys []string, ends map[string]time.Time, err error) {
		lines, err := srv.Lines("lru_crawler metadump all\r\n")
		ends = map[string]time.Time{}
		for _, line := range lines {
			key, rest, ok := strings.Cut(strings.TrimPrefix(line, "key="), " exp=")
			if !ok {
				continue
			}
			at, _, _ := strings.Cut(rest, " ")
			seconds, e := strconv.ParseInt(at, 10, 64)
			err = errors.Join(err, e)
			keys, ends[key] = append(keys, key), time.Unix(seconds, 0)
			if seconds < 0 { // never
				ends[key] = time.Unix(never>>32, 0)
			}
		}
		return keys, ends, err
	}
	w.bytes = func() (string, error) {
		keys, _, err := items()
		all := slices.Clone(keys)
		for _, key := range keys {
			lines, e := srv.Lines("get " + key + "\r\n")
			all, err = append(all, lines...), errors.Join(err, e)
		}
		return strings.Join(all, "\n"), err
	}
	w.lasts = idle + grace + 5*time.Second
	w.left = func() (left []string, err error) {
		keys, ends, err := items()
		for _, key := range keys {
			if time.Now().Before(ends[key]) {
				left = append(left, key)
			}
		}
		return left, err
	}
}
