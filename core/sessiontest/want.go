package sessiontest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// stored returns the client's session as it is stored, for reading only.
func (c *Client) stored() *core.Session {
	c.st.tb.Helper()
	c.finish(http.StatusOK)
	return c.load().Session()
}

func (c *Client) errorf(format string, args ...any) {
	c.st.tb.Helper()
	c.st.tb.Errorf("sessiontest: %s: %s%s", c.name, fmt.Sprintf(format, args...), c.st.told())
}

// WantUser fails the test unless user is logged in on this client.
func (c *Client) WantUser(user string) {
	c.st.tb.Helper()
	switch got := c.stored().UserID(); got {
	case user:
	case "":
		c.errorf("no user is logged in, want %q", user)
	default:
		c.errorf("%q is logged in, want %q", got, user)
	}
}

// WantAnonymous fails the test if a user is logged in on this client.
func (c *Client) WantAnonymous() {
	c.st.tb.Helper()
	if got := c.stored().UserID(); got != "" {
		c.errorf("%q is logged in, want no user", got)
	}
}

// WantFlash fails the test unless this flash is waiting to be shown. Others may
// be waiting too.
func (c *Client) WantFlash(kind, text string) {
	c.st.tb.Helper()
	got := c.stored().PeekFlashes()
	want := core.Flash{Kind: kind, Text: text}
	if slices.Contains(got, want) {
		return
	}
	c.errorf("no flash %s; %s", flashes(want), waiting(got))
}

// WantFlashes fails the test unless exactly these flashes, oldest first, are
// waiting to be shown. Without arguments, it wants none. Typed flashes do not
// count.
func (c *Client) WantFlashes(want ...core.Flash) {
	c.st.tb.Helper()
	got := c.stored().PeekFlashes()
	if len(got) == 0 && len(want) == 0 || reflect.DeepEqual(got, want) {
		return
	}
	if len(want) == 0 {
		c.errorf("%s, want none", waiting(got))
		return
	}
	c.errorf("%s, want %s", waiting(got), flashes(want...))
}

func waiting(got []core.Flash) string {
	if len(got) == 0 {
		return "no flashes waiting"
	}
	return "waiting: " + flashes(got...)
}

func flashes(list ...core.Flash) string {
	texts := make([]string, len(list))
	for i, f := range list {
		texts[i] = fmt.Sprintf("%s %q", f.Kind, f.Text)
	}
	return strings.Join(texts, ", ")
}

// Want fails the test unless the client's session has the value want under key.
// It compares both as a session stores them: what the codec leaves out of want
// does not count.
func Want[T any](c *Client, key core.Key[T], want T) {
	c.st.tb.Helper()
	s := c.stored()
	fresh := c.st.Manager.NewSession(c.st.tb.Context()) // in s, the value that is there would show through
	key.Set(fresh, want)
	kept, err := key.Lookup(fresh)
	if err != nil {
		c.errorf("the wanted value cannot be stored: %v", errors.Join(fresh.Err(), err))
		return
	}
	got, err := key.Lookup(s)
	switch {
	case errors.Is(err, core.ErrNotFound):
		c.errorf("no value %q, want %+v; keys: %s", key.Name(), kept, keys(s))
	case err != nil:
		c.errorf("%v", err)
	case !reflect.DeepEqual(got, kept):
		c.errorf("value %q is %+v, want %+v", key.Name(), got, kept)
	}
}

// WantAbsent fails the test if the client's session has a value under key.
func WantAbsent[T any](c *Client, key core.Key[T]) {
	c.st.tb.Helper()
	got, err := key.Lookup(c.stored())
	switch {
	case err == nil:
		c.errorf("value %q is %+v, want none", key.Name(), got)
	case !errors.Is(err, core.ErrNotFound):
		c.errorf("want no value %q: %v", key.Name(), err)
	}
}

func keys(s *core.Session) string {
	if list := s.Keys(); len(list) > 0 {
		return strings.Join(list, ", ")
	}
	return "none"
}

// WantTyped fails the test unless want is the next typed flash of key to be
// shown. It compares as [Want] does.
func WantTyped[T any](c *Client, key core.FlashKey[T], want T) {
	c.st.tb.Helper()
	s := c.stored()
	fresh := c.st.Manager.NewSession(c.st.tb.Context())
	key.Add(fresh, want)
	kept, ok := key.Peek(fresh)
	if !ok {
		c.errorf("the wanted typed flash cannot be stored: %v", fresh.Err())
		return
	}
	got, ok := key.Peek(s)
	if !ok {
		c.errorf("no typed flash of this key is waiting, want %+v", kept)
		return
	}
	if !reflect.DeepEqual(got, kept) {
		c.errorf("the typed flash is %+v, want %+v", got, kept)
	}
}
