package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

var dataCases = []testCase{
	{"empty_data", "An entry may hold zero bytes of data.", func(h *harness) {
		for _, data := range [][]byte{nil, {}} {
			id := newID()
			h.save(id, core.Entry{Data: data, Expires: h.clock.Now().Add(time.Hour)}, 0)
			h.wantData(id, "")
		}
	}},
	{"binary_data", "Data is bytes, not text: all 256 values come back as they went in.", func(h *harness) {
		var data []byte
		for i := range 256 {
			data = append(data, byte(i))
		}
		id := newID()
		h.save(id, h.entry(string(data)), 0)
		h.wantData(id, string(data))
	}},
	{"large_data", "64 KiB, the core's default limit for a session, fit and come back whole.", func(h *harness) {
		data := strings.Repeat("0123456789abcde\x00", 4096)
		id := newID()
		v := h.save(id, h.entry(data), 0)
		h.wantData(id, data)
		h.save(id, h.entry("small again"), v)
		h.wantData(id, "small again")
	}},
	{"user_names", "User names are any text; a store keeps them byte for byte, and keeps different ones apart.", func(h *harness) {
		for _, user := range userNames {
			id := newID()
			h.save(id, h.entryFor(user, "data", time.Hour), 0)
			if got := h.load(id).User; got != user {
				h.Errorf("loaded user %q, saved %q", got, user)
			}
		}
	}},
	{"ID_bytes", "IDs are 16 bytes of any value, and those that look like syntax or text work like any other.", func(h *harness) {
		for i, id := range edgeIDs() {
			h.save(id, h.entry(string(rune('a'+i))), 0)
		}
		for i, id := range edgeIDs() {
			h.wantData(id, string(rune('a'+i)))
		}
		h.remove(edgeIDs()[0])
		h.wantGone(edgeIDs()[0])
		h.load(edgeIDs()[1])
	}},
	{
		"loaded_bytes_stay",
		"An entry's bytes are immutable: what Load returned does not change with later saves, so callers need not clone it.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entry("first"), 0)
			first := h.load(id).Data
			v = h.save(id, h.entry("SECOND"), v)
			second := h.load(id).Data
			h.save(id, h.entry("third"), v)
			h.load(id)
			h.remove(id)
			h.save(id, h.entry("fourth"), 0)
			h.load(id)
			if string(first) != "first" || string(second) != "SECOND" {
				h.Errorf("bytes of earlier loads are now %q and %q, want \"first\" and \"SECOND\"", first, second)
			}
		},
	},
	{
		"saved_bytes_stay",
		"The store must not change the caller's bytes, nor those behind them in the same array.",
		func(h *harness) {
			id := newID()
			array := []byte("mineyours")
			e := h.entry("")
			e.Data = array[:4]
			v := h.save(id, e, 0)
			_ = append(h.load(id).Data, "!!!"...)
			e.Data = []byte("other")
			h.save(id, e, v)
			h.remove(id)
			if !bytes.Equal(array, []byte("mineyours")) {
				h.Errorf("the caller's array is now %q", array)
			}
		},
	},
}

// userNames are awkward, and all different.
var userNames = []string{
	"alice", "Alice", "alice ", " alice", "alice:bob", "alice{bob}", "alice*", "a%", "a_", "o'hara", `quo"te`, `back\slash`,
	"new\nline", "nul\x00byte", "tab\t", "ü", "u\u0308", "用户", "🙂", "\u202eevil", "42", "null", "../etc/passwd",
	strings.Repeat("long", 60),
}

// edgeIDs are IDs that a store might mishandle.
func edgeIDs() []core.ID {
	texts := []string{
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		strings.Repeat("\xff", 16), strings.Repeat(" ", 16), strings.Repeat("a", 16), strings.Repeat("A", 16),
		"{tag}:key\r\n*1\r\n", "' OR 1=1;--\x00\x00\x00\x00\x00", "%_%_%_%_%_%_%_%_", "*?[a-z]*\\\\......", "../../../../../.",
	}
	ids := make([]core.ID, len(texts))
	for i, text := range texts {
		copy(ids[i][:], text)
	}
	return ids
}
