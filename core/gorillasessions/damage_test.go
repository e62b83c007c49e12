package gorillasessions

import (
	"encoding/gob"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// What cannot be decoded is an error, stays as it is, and goes with MaxAge -1.
func TestStoreValuesThatCannotBeDecoded(t *testing.T) {
	v := newVisitor(t, backends()["memory"](), true, nil)
	damaged := append(append([]byte(nil), gobMark...), 1, 2, 3)
	v.serve(func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set(ValueKey("app", "bad"), damaged)
		httpadapter.Session(r).Set(ValueKey("app", "good"), "fine")
	})
	for _, age := range []int{0, -1} {
		v.serve(func(w http.ResponseWriter, r *http.Request) {
			s, err := v.store.Get(r, "app")
			if err == nil || s.IsNew || !strings.Contains(err.Error(), "gorilla/app/bad") {
				t.Fatalf("Get: %v, IsNew %v", err, s.IsNew)
			}
			want(t, s, "good", "fine")
			s.Values["other"], s.Options.MaxAge = "added", age
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
			raw, _ := core.Get[[]byte](httpadapter.Session(r), ValueKey("app", "bad"))
			if age == 0 && string(raw) != string(damaged) || age < 0 && raw != nil {
				t.Errorf("MaxAge %d: the damaged value is %q", age, raw)
			}
		})
	}
}

// brittle is a type whose decoding panics.
type brittle struct{ n byte }

func (b *brittle) GobEncode() ([]byte, error) { return []byte{b.n}, nil }
func (b *brittle) GobDecode([]byte) error     { panic("cannot be decoded") }

func TestE3StoreDamagedValues(t *testing.T) {
	gob.Register(&brittle{})
	v := newVisitor(t, backends()["memory"](), true, nil)
	whole, err := encodeGob("k", &person{Name: "Ann", Seen: map[string]int{"a": 1}})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := encodeGob("k", &brittle{})
	if err != nil {
		t.Fatal(err)
	}
	blobs := [][]byte{bad}
	for i := len(gobMark); i < len(whole); i++ {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			blob := slices.Clone(whole)
			blob[i] ^= flip
			blobs = append(blobs, blob, blob[:i])
		}
	}
	failed := 0
	v.serve(func(_ http.ResponseWriter, r *http.Request) {
		for i, blob := range blobs {
			httpadapter.Session(r).Set(ValueKey("app", "k"), blob)
			s, err := v.store.New(r, "app")
			if s == nil || i == 0 && err == nil {
				t.Fatalf("blob %d: %v, %v", i, s, err)
			}
			if err != nil {
				failed++
			}
		}
	})
	if failed < len(blobs)/2 {
		t.Errorf("E3: %d of %d damaged values are told", failed, len(blobs))
	}
}
