package gorillastore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// isGorillas reports whether f is what gorilla's Flashes would return.
func isGorillas(f core.StoredFlash) bool { return !f.Typed && f.Kind == "" }

// splitFlashes returns the texts of those flashes that gorilla knows too, as
// its AddFlash keeps them, and all flashes for the header: of the former, a
// checksum in place of the text holds number and expiry.
func splitFlashes(r *core.Record) (texts []any, rest []core.StoredFlash) {
	for f := range r.StoredFlashes() {
		if isGorillas(f) {
			text := string(f.Payload)
			texts = append(texts, text)
			f.Payload = checksum(text)
		}
		rest = append(rest, f)
	}
	return texts, rest
}

// joinFlashes is the reverse. Gorilla may have read flashes, which are gone
// then, and added others, which are the newest.
func joinFlashes(head *core.Record, v any) []core.StoredFlash {
	list, _ := v.([]any)
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = fmt.Sprint(text)
	}
	var joined []core.StoredFlash
	for f := range head.StoredFlashes() {
		if isGorillas(f) {
			i := indexOf(texts, f.Payload)
			if i < 0 {
				continue
			}
			f.Payload = []byte(texts[i])
			texts = append(texts[:i], texts[i+1:]...)
		}
		joined = append(joined, f)
	}
	for _, text := range texts {
		joined = append(joined, core.StoredFlash{Number: -1, Payload: []byte(text)})
	}
	return joined
}

// likeTexts returns texts with what gorilla had in the place of each, if that
// was no text: its programs expect their own types back.
func likeTexts(texts []any, before any) []any {
	list, _ := before.([]any)
	rest := slices.Clone(list)
	for i, text := range texts {
		if j := slices.IndexFunc(rest, func(v any) bool { return fmt.Sprint(v) == text }); j >= 0 {
			texts[i] = rest[j]
			rest = slices.Delete(rest, j, j+1)
		}
	}
	return texts
}

func indexOf(texts []string, sum []byte) int {
	for i, text := range texts {
		if string(checksum(text)) == string(sum) {
			return i
		}
	}
	return -1
}

// checksum recognises a text, nothing more: both are inside the same
// authenticated token.
func checksum(text string) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
}
