// Package storable tells which values a codec can give back. Codecs ask it before
// they encode, because encoders fail on such values too late or not at all.
package storable

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// Format describes what one codec writes. It is safe for concurrent use.
type Format struct {
	// Tags are the keys of the struct tags that name a field. The first one that a
	// field has counts.
	Tags []string

	// Methods are the pairs of methods by which types encode themselves, in the
	// codec's order of preference.
	Methods []Methods

	// NeedsAddress says that the encoder calls methods with pointer receivers only
	// on values that have an address. It would write others field by field.
	NeedsAddress bool

	// TextKeys says that what is in an any only comes back if the keys of its maps are
	// strings.
	TextKeys bool

	// MaxDepth is how deep the decoder lets maps, lists and structs nest.
	MaxDepth int

	plans sync.Map // of *plan by reflect.Type
}

// Methods is an interface of encoders with the interface of the matching decoders,
// each of one method.
type Methods struct {
	Encode, Decode reflect.Type

	// Of returns a type's Encode method. It must call MethodByName with a constant,
	// or the linker keeps all methods of every type.
	Of func(reflect.Type) (reflect.Method, bool)

	Text bool // Encode writes a string
}

const (
	// maxLinks bounds pointers and interfaces in a row, which no decoder counts.
	maxLinks = 32

	// maxVisits bounds what one value holds. A value that shares parts can have
	// more members than there is time to count.
	maxVisits = 1 << 24
)

// Check returns an error that says why v cannot be given back, or nil. For types
// that it has seen before, and that hold no interfaces and not themselves, it costs
// a lookup.
func (f *Format) Check(v any) error {
	w := walk{f: f, left: maxVisits}
	return w.any(v, 0, 0)
}

// Placed reports whether v is only encoded as it should be by its address.
func (f *Format) Placed(v any) bool {
	return v != nil && f.planOf(reflect.TypeOf(v)).placed
}

// plan is what is known of a type.
type plan struct {
	err    error // why none of its values can be given back
	loose  error // why none of them can be given back in an any
	walk   bool  // its values have to be looked at too
	time   bool  // it is time.Time
	placed bool  // it needs an address, see Format.NeedsAddress
	key    *plan
	elem   *plan
	fields []field
}

// planOf returns the plan of t.
func (f *Format) planOf(t reflect.Type) *plan {
	if p, ok := f.plans.Load(t); ok {
		return p.(*plan)
	}
	// Only the plan of a whole type is kept. Its parts may be half known while the
	// type that contains them is being looked at.
	b := builder{f: f, plans: map[reflect.Type]*plan{}, busy: map[reflect.Type]bool{}}
	p, _ := f.plans.LoadOrStore(t, b.plan(t))
	return p.(*plan)
}

// builder makes the plan of one type.
type builder struct {
	f     *Format
	plans map[reflect.Type]*plan
	busy  map[reflect.Type]bool
}

func (b *builder) plan(t reflect.Type) *plan {
	if p, ok := b.plans[t]; ok {
		if b.busy[t] {
			p.walk = true // it contains itself
		}
		return p
	}
	p := new(plan)
	b.plans[t], b.busy[t] = p, true
	b.fill(p, t)
	b.busy[t] = false
	return p
}

func (b *builder) fill(p *plan, t reflect.Type) {
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		if m := b.f.methods(t); m != nil { // what is inside is its own affair
			p.err = b.f.checkMethods(t, m)
			p.time = t == reflect.TypeFor[time.Time]()
			p.walk = p.time
			p.placed = b.f.NeedsAddress && !t.Implements(m.Encode)
			return
		}
	}
	part := func(t reflect.Type) *plan {
		busy := b.busy[t]
		q := b.plan(t)
		p.walk = p.walk || q.walk || busy
		p.loose = cmp.Or(p.loose, q.loose)
		return q
	}
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		p.err = fmt.Errorf("%s cannot be stored", article(t))
	case reflect.Interface:
		p.walk = true
		p.err = Interface(t)
	case reflect.Pointer:
		bare := t
		for range maxLinks {
			if bare.Kind() == reflect.Pointer {
				bare = bare.Elem()
			}
		}
		if bare.Kind() == reflect.Pointer {
			p.err = fmt.Errorf("%s points to nothing but pointers", article(t))
			return
		}
		p.elem = part(t.Elem())
		p.err = p.elem.err
	case reflect.Slice:
		p.elem = part(t.Elem())
		p.err = p.elem.err
	case reflect.Array:
		p.elem = part(t.Elem())
		p.err, p.placed = p.elem.err, p.elem.placed
	case reflect.Map:
		p.key, p.elem = part(t.Key()), part(t.Elem())
		p.err = checkMap(t, p)
		p.loose = cmp.Or(b.f.checkKeys(t), p.loose)
	case reflect.Struct:
		b.fillStruct(p, t, part)
	}
}

// walk looks at one value.
type walk struct {
	f     *Format
	left  int  // how many more values it may visit
	loose bool // it is inside an any
}

// boundError is about a value as a whole.
type boundError struct{ error }

var errTooMany = boundError{errors.New("it holds too many values")}

func (w *walk) errDeep() error {
	return boundError{fmt.Errorf("it contains itself, or nests more than %d levels deep", w.f.MaxDepth)}
}

// inField says in which field err is: in the innermost, for lists can be long.
func inField(name string, err error) error {
	var bound boundError
	var field fieldError
	if errors.As(err, &bound) || errors.As(err, &field) {
		return err
	}
	return fieldError{name, err}
}

// checkTime refuses times that RFC 3339 cannot express: offsets have minutes there.
func checkTime(t time.Time) error {
	if _, offset := t.Zone(); offset%60 != 0 {
		return errors.New("a time whose offset from UTC has seconds would come back as another time: use its UTC method")
	}
	return nil
}

// any looks at the value in an interface. Depth counts the maps, lists and structs
// around it, and links the pointers and interfaces in a row.
func (w *walk) any(v any, depth, links int) error {
	switch v := v.(type) { // the usual values, without reflection
	case nil, bool, string, []byte, float64, int, int64, uint64:
		return nil
	case time.Time:
		return checkTime(v)
	case []any:
		return w.list(v, depth+1)
	case map[string]any:
		return w.object(v, depth+1)
	}
	p := w.f.planOf(reflect.TypeOf(v))
	switch {
	case p.err != nil:
		return p.err
	case depth > 0:
		return w.inAny(p, reflect.ValueOf(v), depth, links)
	case p.walk:
		return w.value(p, reflect.ValueOf(v), depth, links)
	}
	return nil
}

// inAny looks at the value v in an interface, whose type has the plan p.
func (w *walk) inAny(p *plan, v reflect.Value, depth, links int) error {
	switch {
	case p.err != nil:
		return p.err
	case p.loose != nil:
		return p.loose
	case p.placed:
		return errPlaced(v.Type())
	case !p.walk:
		return nil
	}
	outer := w.loose
	w.loose = true
	err := w.value(p, v, depth, links)
	w.loose = outer
	return err
}

func (w *walk) list(list []any, depth int) error {
	if err := w.enter(depth, 0); err != nil {
		return err
	}
	for _, v := range list {
		if err := w.any(v, depth, 0); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) object(object map[string]any, depth int) error {
	if err := w.enter(depth, 0); err != nil {
		return err
	}
	for _, v := range object {
		if err := w.any(v, depth, 0); err != nil {
			return err
		}
	}
	return nil
}

// enter checks the bounds.
func (w *walk) enter(depth, links int) error {
	if w.left--; w.left < 0 {
		return errTooMany
	}
	if depth > w.f.MaxDepth || links > maxLinks {
		return w.errDeep()
	}
	return nil
}

// value looks at v, whose type has the plan p. It is only called if that says so.
func (w *walk) value(p *plan, v reflect.Value, depth, links int) error {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if err := w.enter(depth, links+1); err != nil {
			return err
		}
		if p.elem == nil {
			v = v.Elem()
			return w.inAny(w.f.planOf(v.Type()), v, depth, links+1)
		}
		return w.part(p.elem, v.Elem(), depth, links+1)
	}
	if p.time {
		if v.CanInterface() {
			return checkTime(v.Interface().(time.Time))
		}
		return nil
	}
	depth++
	if err := w.enter(depth, 0); err != nil {
		return err
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := w.part(p.elem, v.Index(i), depth, 0); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if key := entries.Key(); w.loose && w.f.TextKeys && key.Kind() == reflect.Interface && key.Elem().Kind() != reflect.String {
				return errKeys(v.Type())
			}
			if err := w.part(p.key, entries.Key(), depth, 0); err != nil {
				return err
			}
			if err := w.part(p.elem, entries.Value(), depth, 0); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range p.fields {
			f := &p.fields[i]
			if !f.plan.walk {
				continue
			}
			if part, ok := f.of(v); ok {
				if err := w.part(f.plan, part, depth, 0); err != nil {
					return inField(f.name, err)
				}
			}
		}
	}
	return nil
}

func (w *walk) part(p *plan, v reflect.Value, depth, links int) error {
	if !p.walk {
		return nil
	}
	return w.value(p, v, depth, links)
}
