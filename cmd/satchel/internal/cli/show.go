package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// session is what show prints.
type session struct {
	row
	Authenticated *time.Time     `json:"authenticated"`
	Saved         time.Time      `json:"saved"`
	Deadline      *time.Time     `json:"deadline"` // no use moves it; null: there is none
	Values        []value        `json:"values"`
	Flashes       map[string]int `json:"flashes"` // unread ones, by kind
}

type value struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Bytes int    `json:"bytes"`
	Value any    `json:"value,omitempty"` // with --values
}

func (a *app) show() *cobra.Command {
	var values bool
	c := &cobra.Command{
		Use: "show ID", Short: "Show one session: times, keys and sizes, never its token", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.with(func(t *target.Target) error { return a.showOne(cmd.Context(), t, ids[0], values) })
		},
	}
	c.Flags().BoolVar(&values, "values", false, "print the values too, which may be personal or secret")
	return c
}

func (a *app) showOne(ctx context.Context, t *target.Target, id core.ID, values bool) error {
	item := t.Load(ctx, id)
	if errors.Is(item.Err, core.ErrNotFound) {
		a.say("%s: no such session", id)
		return errNobody
	}
	if item.Err != nil {
		return fmt.Errorf("session %s: %w", id, item.Err)
	}
	s := describe(t, &item, values)
	if a.json {
		return a.object(s)
	}
	r := item.Record
	user := "(anonymous)"
	if r.User != "" {
		user = text(r.User)
	}
	lines := [][2]string{{"ID", id.String()}, {"user", user}}
	if r.Label != "" {
		lines = append(lines, [2]string{"label", text(r.Label)})
	}
	lines = append(lines, [2]string{"began", moment(r.CreatedAt)}, [2]string{"logged in", moment(r.AuthenticatedAt)},
		[2]string{"last seen", moment(*s.LastSeen)}, [2]string{"last saved", moment(r.SavedAt)}, [2]string{"ends", ends(r)},
		[2]string{"remembered", fmt.Sprint(r.Remembered)}, [2]string{"size", target.Plural(item.Bytes, "byte")})
	for _, v := range s.Values {
		line := fmt.Sprintf("%s, %s, %s", text(v.Key), v.Type, target.Plural(v.Bytes, "byte"))
		if values {
			data, _ := json.Marshal(v.Value)
			line += ": " + printable(string(data))
		}
		lines = append(lines, [2]string{"value", line})
	}
	for f := range r.StoredFlashes() {
		lines = append(lines, [2]string{"unread flash", fmt.Sprintf("%s, %s", text(f.Kind), target.Plural(len(f.Payload), "byte"))})
	}
	for _, line := range lines {
		if err := a.printf("%-13s %s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	return nil
}

// ends says when r ends, and why then.
func ends(r *core.Record) string {
	switch {
	case r.Expires.IsZero():
		return "never"
	case r.Deadline.IsZero():
		return moment(r.Expires) + " unless it is used before (idle timeout); it has no lifetime"
	case !r.Expires.Before(r.Deadline):
		return moment(r.Deadline) + " whatever happens (lifetime)"
	}
	return moment(r.Expires) + " unless it is used before (idle timeout), at the latest " + moment(r.Deadline) + " (lifetime)"
}

func describe(t *target.Target, item *target.Item, values bool) session {
	r := item.Record
	s := session{row: rowOf(t, item), Saved: r.SavedAt.UTC(), Values: []value{}, Flashes: map[string]int{}}
	utc := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	s.Created, s.LastSeen, s.Expires = utc(*s.Created), utc(*s.LastSeen), utc(*s.Expires)
	s.Authenticated, s.Deadline = utc(r.AuthenticatedAt), utc(r.Deadline)
	for key, raw := range r.Values() {
		v := value{Key: key, Bytes: len(raw)}
		v.Type, v.Value = decode(raw)
		if !values {
			v.Value = nil
		}
		s.Values = append(s.Values, v)
	}
	for f := range r.StoredFlashes() {
		s.Flashes[f.Kind]++
	}
	return s
}

// decode returns a value of either of the core's codecs, and what kind of thing it is.
func decode(raw []byte) (kind string, v any) {
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		var any any
		if codec.Decode(raw, &any) == nil {
			return kindOf(any), plain(any)
		}
	}
	return "unknown", hex.EncodeToString(raw)
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "text"
	case []byte:
		return "bytes"
	case []any:
		return "list"
	case map[any]any, map[string]any:
		return "map"
	case time.Time:
		return "time"
	}
	return "number"
}

// plain returns v as JSON can have it: its maps have keys that are text.
func plain(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[fmt.Sprint(key)] = plain(value)
		}
		return m
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}
