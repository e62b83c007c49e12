package storable

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// field is a field that the codec writes, perhaps one of an embedded struct.
type field struct {
	name   string // in Go
	key    string // as written
	tagged bool
	number bool // it is written as a number
	index  []int
	t      reflect.Type
	plan   *plan
}

// of returns the field's value in the struct v; ok is false if an embedded pointer
// on the way is nil.
func (f *field) of(v reflect.Value) (part reflect.Value, ok bool) {
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// tag returns the tag that names the field, and the key of it. Both are empty if
// there is none.
func (f *Format) tag(sf *reflect.StructField) (tag, key string) {
	for _, key := range f.Tags {
		if tag := sf.Tag.Get(key); tag != "" {
			return tag, key
		}
	}
	return "", ""
}

// embedded is an embedded struct whose fields are written with those around it.
type embedded struct {
	t     reflect.Type
	index []int
}

// fields returns the fields of t that the codec writes. As in encoding/json, those of
// embedded structs are among them, and of several with one key the outermost counts.
// The error says which fields would be lost.
func (f *Format) fields(t reflect.Type) ([]field, error) {
	var all []field
	var failures []error
	visited := map[reflect.Type]bool{}
	taken := map[string]bool{}
	for level := []embedded{{t: t}}; len(level) > 0; {
		var deeper []embedded
		found := map[string][]field{}
		var order []string
		for _, e := range level {
			if visited[e.t] {
				if f.hasFields(e.t, map[reflect.Type]bool{}) && HoldsData(e.t) {
					failures = append(failures, fieldError{path(t, e.index), fmt.Errorf("%s is embedded further out too, so what is in this one would be lost: give it a name", e.t)})
				}
				continue
			}
			fields, structs, err := f.own(e)
			failures = append(failures, err)
			for _, sf := range fields {
				if found[sf.key] == nil {
					order = append(order, sf.key)
				}
				found[sf.key] = append(found[sf.key], sf)
			}
			deeper = append(deeper, structs...)
		}
		for _, e := range level {
			visited[e.t] = true
		}
		for _, key := range order {
			var visible []field
			if !taken[key] {
				taken[key] = true
				if visible = dominant(found[key]); visible == nil {
					err := fmt.Errorf("another field is written as %q too, so both would be lost: give one of them another name in its tag", key)
					failures = append(failures, fieldError{found[key][0].name, err})
					continue
				}
				all = append(all, visible...)
			}
			failures = append(failures, checkHidden(t, found[key], visible))
		}
		level = deeper
	}
	return all, errors.Join(failures...)
}

// checkHidden checks the fields with one key that are not visible: another is written
// in their place.
func checkHidden(t reflect.Type, fields, visible []field) error {
	var failures []error
	for _, f := range fields {
		if (visible == nil || !slices.Equal(f.index, visible[0].index)) && HoldsData(f.t) {
			err := fmt.Errorf("another field is written as %q in its place, so it would be lost: give one of them another name in its tag", f.key)
			failures = append(failures, fieldError{path(t, f.index), err})
		}
	}
	return errors.Join(failures...)
}

// path returns the name of a field of t, with those of the embedded structs around it.
func path(t reflect.Type, index []int) string {
	names := make([]string, len(index))
	for i := range index {
		names[i] = t.FieldByIndex(index[:i+1]).Name
	}
	return strings.Join(names, ".")
}

// dominant returns which of the fields with one key, all equally deep, the codec
// writes: the only one that is tagged, or the only one, or none.
func dominant(fields []field) []field {
	if len(fields) == 1 {
		return fields
	}
	var tagged []field
	for _, f := range fields {
		if f.tagged {
			tagged = append(tagged, f)
		}
	}
	if len(tagged) == 1 {
		return tagged
	}
	return nil
}

// own returns the fields of one struct, and the structs that are embedded in it.
func (f *Format) own(e embedded) (fields []field, structs []embedded, err error) {
	var failures []error
	for i := range e.t.NumField() {
		sf := e.t.Field(i)
		bare := sf.Type
		if bare.Kind() == reflect.Pointer && bare.Name() == "" {
			bare = bare.Elem()
		}
		if !sf.IsExported() && (!sf.Anonymous || bare.Kind() != reflect.Struct) {
			continue
		}
		tag, by := f.tag(&sf)
		if tag == "-" {
			if err := f.checkDropped(&sf, by); err != nil {
				failures = append(failures, fieldError{sf.Name, err})
			}
			continue
		}
		index := append(append([]int(nil), e.index...), i)
		key, options, _ := strings.Cut(tag, ",")
		if sf.Anonymous && bare.Kind() == reflect.Struct && key == "" {
			if err := f.checkEmbedded(&sf, bare); err != nil {
				failures = append(failures, fieldError{sf.Name, err})
			}
			structs = append(structs, embedded{bare, index})
			continue
		}
		named := field{name: sf.Name, key: key, tagged: key != "", index: index, t: sf.Type}
		named.number = by == "cbor" && slices.Contains(strings.Split(options, ","), "keyasint")
		if key == "" {
			named.key = sf.Name
		}
		fields = append(fields, named)
	}
	return fields, structs, errors.Join(failures...)
}
