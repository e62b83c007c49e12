package modeltest

import "fmt"

// padded is a codec with which a number n takes n units, so that few of them fill a
// session (promise E2).
type padded struct{ unit int }

func (c padded) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case int:
		return make([]byte, v*c.unit), nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("a %T", v)
}

func (c padded) Decode(data []byte, v any) error {
	switch v := v.(type) {
	case *int:
		*v = len(data) / c.unit
	case *string:
		*v = string(data)
	default:
		return fmt.Errorf("a %T", v)
	}
	return nil
}

// entrySize returns what the value n of a key takes: both have their lengths before them.
func entrySize(key string, n, unit int) int {
	size := 1 + len(key) + 1 + n*unit
	if n*unit >= 128 {
		size++
	}
	return size
}

// size returns what Config.MaxBytes limits.
func (r *record) size(unit int) int {
	size := len(r.user)
	if len(r.values) > 0 {
		size++ // their number
	}
	for key, n := range r.values {
		size += entrySize(key, n, unit)
	}
	if r.flashed {
		size++
	}
	for _, f := range r.flashes {
		const fixed = 1 + 1 + 6 + 1 + 1 // its own number, whether it is typed, its expiry, two lengths
		size += fixed + len(f.kind) + len(f.text)
	}
	return size
}

// tooLarge reports whether n cannot be stored.
func (v *view) tooLarge(n *record) bool {
	unit := v.w.schedule.setup.unit
	return unit > 0 && n.size(unit) > maxBytes
}

// overflows reports whether the changes make cur too large, even without flashes.
func (v *view) overflows(cur *record) bool {
	n, _ := v.next(cur, v.w.clock, false)
	n.flashes = nil
	return v.tooLarge(&n)
}

// put notes that a value is to be n, unless the request then sets more than any session can hold.
func (v *view) put(o op) {
	unit := v.w.schedule.setup.unit
	n := o.n
	if o.do == incr {
		next, _ := v.next(&v.base, v.w.clock, false)
		n += next.values[o.key]
	}
	size := entrySize(o.key, n, unit)
	total := size
	for key, size := range v.sizes {
		if key != o.key {
			total += size
		}
	}
	if unit > 0 && total > maxBytes {
		v.tooMuch[o.key] = true
		return
	}
	v.sizes[o.key] = size
	if o.do == set {
		delete(v.tooMuch, o.key) // what failed is replaced
	}
	v.changes = append(v.changes, o)
}
