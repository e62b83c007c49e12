package form

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// valued reports whether p's values are texts.
func (p *typePlan) valued() bool {
	switch {
	case p.itself:
		return true
	case p.t.Kind() == reflect.Pointer, p.t.Kind() == reflect.Slice, p.t.Kind() == reflect.Array:
		return p.elem.valued()
	}
	return p.t.Kind() != reflect.Struct && p.t.Kind() != reflect.Map
}

// texts returns v as texts: one, or one for each element of a list.
func texts(v reflect.Value) ([]string, error) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil
	}
	if m, ok := marshaler(v); ok {
		text, err := m.MarshalText()
		return []string{string(text)}, err
	}
	switch v.Kind() {
	case reflect.Pointer:
		return texts(v.Elem())
	case reflect.String:
		return []string{v.String()}, nil
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return []string{string(v.Bytes())}, nil
		}
		var list []string
		for i := range v.Len() {
			more, err := texts(v.Index(i))
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
		return list, nil
	case reflect.Float32, reflect.Float64:
		return []string{strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits())}, nil
	}
	return []string{fmt.Sprint(v.Interface())}, nil // a number, a bool, or a type that marshals itself as JSON
}

func marshaler(v reflect.Value) (encoding.TextMarshaler, bool) {
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		return m, true
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	m, ok := reflect.TypeAssert[encoding.TextMarshaler](p)
	return m, ok
}

// after returns what follows a field's name in a path.
func after(path, name string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, name)
	switch {
	case !ok || rest == "":
		return "", ok
	case rest[0] == '.':
		return rest[1:], true
	case rest[0] == '[': // "[0][name]" means the same as "0.name"
		key, rest, ok := strings.Cut(rest[1:], "]")
		return key + rest, ok
	}
	return "", false
}

// cut returns the first step of a path, and the rest.
func cut(path string) (step, rest string) {
	i := strings.IndexAny(path, ".[")
	if i < 0 {
		return path, ""
	}
	rest, _ = after(path, path[:i])
	return path[:i], rest
}
