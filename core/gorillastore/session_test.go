package gorillastore

import (
	"testing"

	"github.com/satchel-go/satchel/core"
)

func TestSEC44RotationReseals(t *testing.T) {
	old := newSite(t, Cookie(cookieStore("old"), CookieConfig{}), nil)
	old.do(func(x *core.Session) { x.Set("k", "v") })
	s := newSite(t, Cookie(cookieStore("new", "old"), CookieConfig{}), nil)
	s.cookies = old.cookies
	s.do(func(x *core.Session) { x.Keys() })
	if len(s.last) != 0 {
		t.Errorf("SEC44: reading seals anew: %v", s.last)
	}
	s.do(func(x *core.Session) { x.Set("n", 1) })
	if len(s.last) != 1 {
		t.Fatalf("SEC44: not sealed anew: %v", s.last)
	}
	after := newSite(t, Cookie(cookieStore("new"), CookieConfig{}), nil)
	after.cookies = s.cookies
	after.do(func(x *core.Session) {
		if v, _ := core.Get[string](x, "k"); v != "v" {
			t.Error("SEC44: what was sealed anew needs the old key")
		}
	})
}
