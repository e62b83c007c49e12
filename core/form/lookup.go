package form

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// texts returns the values of the named field of input.
func (p *typePlan) texts(input any, name string) ([]string, error) {
	v := reflect.ValueOf(input)
	f, ok := p.lookup(v, name)
	switch {
	case !ok:
		return nil, fmt.Errorf("there is no field %q; the fields are: %s", name, strings.Join(p.names(nil), ", "))
	case !f.plan.valued():
		return nil, fmt.Errorf("the field %q has fields of its own: name one of them", name)
	case v.IsZero() || !f.v.IsValid():
		return nil, nil
	}
	return texts(f.v)
}

// formName returns a field's name in the form. name may be its name in Go, with
// its type's name in front, as validators give it. Other names stay as they are.
func (p *typePlan) formName(name string) string {
	if _, ok := p.find(reflect.Value{}, name, search{}); ok {
		return name
	}
	for _, name := range [...]string{name, strings.TrimPrefix(name, p.t.Name()+".")} {
		if f, ok := p.find(reflect.Value{}, name, search{inGo: true}); ok {
			return f.name
		}
	}
	return name
}

// same reports whether two names lead to the same field.
func (p *typePlan) same(a, b string) bool {
	if a == b {
		return true
	}
	fa, ok := p.lookup(reflect.Value{}, a)
	if !ok || a == "" || b == "" {
		return false
	}
	fb, ok := p.lookup(reflect.Value{}, b)
	return ok && fa.path == fb.path
}

// lookup finds a field by its name in the form or, failing that, in Go.
func (p *typePlan) lookup(v reflect.Value, name string) (found, bool) {
	f, ok := p.find(v, name, search{})
	if !ok {
		f, ok = p.find(v, name, search{inGo: true})
	}
	return f, ok
}

// found is a field that was looked up. v is invalid if the field is never kept,
// or lies inside something that is not there.
type found struct {
	v    reflect.Value
	plan *typePlan
	path string // its names in Go: "Address.City", "Items.0.Name"
	name string // its names in the form
}

// search is how to look for a field.
type search struct {
	inGo bool        // names in Go count
	into []*typePlan // the structs on the way, so that none is searched twice
}

// find looks for the field that name leads to. An invalid v means that it is not
// there.
func (p *typePlan) find(v reflect.Value, name string, how search) (f found, ok bool) {
	if name == "" {
		return found{v: v, plan: p}, true
	}
	switch {
	case p.itself:
	case p.t.Kind() == reflect.Pointer:
		if v.IsValid() {
			v = v.Elem()
		}
		return p.elem.find(v, name, how)
	case p.elem != nil:
		key, rest := cut(name)
		v, ok := p.member(v, key)
		if !ok {
			return f, false
		}
		f, ok = p.elem.find(v, rest, how)
		return f.under(key, key), ok
	case p.t.Kind() == reflect.Struct:
		how.into = append(how.into, p)
		return p.findField(v, name, how)
	}
	return f, false
}

// findField looks among a struct's fields, and then inside those that are structs
// themselves: echo and gin find their fields without a path.
func (p *typePlan) findField(v reflect.Value, name string, how search) (found, bool) {
	for i := range p.fields {
		f := &p.fields[i]
		rest, ok := after(name, f.name)
		if !ok && how.inGo {
			rest, ok = after(name, f.goName)
		}
		if !ok {
			continue
		}
		if f.secret {
			return found{plan: secretField, path: f.goName, name: f.name}, true
		}
		if got, ok := f.plan.find(f.of(v), rest, how); ok {
			path := got.under(f.goName, f.name)
			if f.embedded && rest != "" {
				path.name = got.name // binders have no name for an embedded struct
			}
			return path, true
		}
	}
	for i := range p.fields {
		f := &p.fields[i]
		if f.secret {
			continue
		}
		inner := f.plan.structPlan()
		if inner == nil || slices.Contains(how.into, inner) {
			continue
		}
		if got, ok := f.plan.find(f.of(v), name, how); ok {
			path := got.under(f.goName, f.name)
			path.name = got.name
			return path, true
		}
	}
	return found{}, false
}

// under returns f with a step added in front of its path.
func (f found) under(goName, name string) found {
	f.path = strings.TrimSuffix(goName+"."+f.path, ".")
	f.name = strings.TrimSuffix(name+"."+f.name, ".")
	return f
}

// secretField is the plan of anything that is never kept, whatever its type.
var secretField = &typePlan{t: reflect.TypeFor[string]()}

// of returns this field of the struct v.
func (f *fieldPlan) of(v reflect.Value) reflect.Value {
	if !v.IsValid() {
		return v
	}
	return v.Field(f.index)
}

// member returns what a slice, array or map has under key. The value is invalid
// if there is none; ok is false if there cannot be one.
func (p *typePlan) member(v reflect.Value, key string) (member reflect.Value, ok bool) {
	if p.t.Kind() != reflect.Map {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 {
			return member, false
		}
		if v.IsValid() && i < v.Len() {
			member = v.Index(i)
		}
		return member, true
	}
	k := reflect.New(p.t.Key()).Elem()
	switch {
	case k.Kind() == reflect.String:
		k.SetString(key)
	case k.CanInt():
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil || k.OverflowInt(n) {
			return member, false
		}
		k.SetInt(n)
	default:
		n, err := strconv.ParseUint(key, 10, 64)
		if err != nil || k.OverflowUint(n) {
			return member, false
		}
		k.SetUint(n)
	}
	if v.IsValid() {
		member = v.MapIndex(k)
	}
	return member, true
}

// structPlan returns the plan of the struct that p is or points to, or nil.
func (p *typePlan) structPlan() *typePlan {
	for p.t.Kind() == reflect.Pointer {
		p = p.elem
	}
	if p.t.Kind() == reflect.Struct && !p.itself {
		return p
	}
	return nil
}

// names returns the fields' names; fields of nested structs have their paths.
func (p *typePlan) names(into []*typePlan) []string {
	into = append(into, p)
	var names []string
	for i := range p.fields {
		f := &p.fields[i]
		var inner *typePlan
		if !f.secret {
			inner = f.plan.structPlan()
		}
		if inner == nil || slices.Contains(into, inner) {
			names = append(names, f.name)
			continue
		}
		for _, name := range inner.names(into) {
			if !f.embedded {
				name = f.name + "." + name
			}
			names = append(names, name)
		}
	}
	return names
}
