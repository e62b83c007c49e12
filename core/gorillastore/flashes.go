package gorillastore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// isGorillas reports whether gorilla's Flashes would return f.
func isGorillas(f core.StoredFlash) bool { return !f.Typed && f.Kind == "" }

// splitFlashes returns the texts of gorilla's flashes, as its AddFlash keeps them.
// It also returns all flashes for the header, which keeps number and expiry; in
// gorilla's flashes, a checksum replaces the text.
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

// joinFlashes is the reverse of splitFlashes. Flashes that gorilla has read are
// gone; flashes that it has added are the newest.
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

// restoreTypes replaces texts that gorilla held as other types with its original
// values: gorilla's programs expect their own types back.
func restoreTypes(texts []any, before any) []any {
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

// checksum identifies a text. It needs no more strength, because the same token
// authenticates both.
func checksum(text string) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
}
