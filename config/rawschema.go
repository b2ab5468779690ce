package config

import (
	"strconv"

	"go.yaml.in/yaml/v4"

	"claviger.dev/claviger/internal/jsonx"
)

// rawSchema is a JSON Schema, written in YAML and kept as JSON.
type rawSchema struct{}

func (rawSchema) read(d *decoder, path string, n *yaml.Node) jsonx.Value {
	before := len(d.problems)
	v := rawObject(d, path, n, 0)
	if len(d.problems) > before {
		return jsonx.Value{}
	}
	return v
}

func (rawSchema) absent(*decoder, string) jsonx.Value { return jsonx.Value{} }

func (rawSchema) shape() *shape { return &shape{form: formSchema, noun: "a JSON Schema"} }

func (rawSchema) write(v jsonx.Value) *yaml.Node {
	if v.IsZero() {
		return nil
	}
	return rawNode(v)
}

func rawObject(d *decoder, path string, n *yaml.Node, depth int) jsonx.Value {
	pairs, ok := d.mapping(path, n)
	if !ok {
		return jsonx.Value{}
	}
	d.inside[behind(n)] = true
	defer delete(d.inside, behind(n))
	members := make([]jsonx.Member, 0, len(pairs))
	for _, p := range pairs {
		members = append(members, has(p.key.Value, rawValue(d, join(path, p.key.Value), p.value, depth+1)))
	}
	return jsonx.Object(members...)
}

func rawValue(d *decoder, path string, n *yaml.Node, depth int) jsonx.Value {
	switch {
	case d.inside[behind(n)]:
		d.fail(path, n, fault{"this alias holds itself", ""})
		return jsonx.Value{}
	case depth > maxDepth:
		d.fail(path, n, fault{"nested deeper than " + strconv.Itoa(maxDepth) + " levels", ""})
		return jsonx.Value{}
	}
	switch behind(n).Kind {
	case yaml.MappingNode:
		return rawObject(d, path, n, depth)
	case yaml.SequenceNode:
		items, _ := d.sequence(path, n)
		d.inside[behind(n)] = true
		defer delete(d.inside, behind(n))
		vs := make([]jsonx.Value, 0, len(items))
		for i, x := range items {
			vs = append(vs, rawValue(d, index(path, i), x, depth+1))
		}
		return jsonx.Array(vs...)
	default:
		return rawScalar(d, path, n)
	}
}

func rawScalar(d *decoder, path string, n *yaml.Node) jsonx.Value {
	n = d.enter(path, n)
	if n == nil {
		return jsonx.Value{}
	}
	switch n.ShortTag() {
	case "!!null":
		return jsonx.Null()
	case tagBool:
		v, err := truth().parse(n.Value)
		if err == nil {
			return jsonx.Bool(v)
		}
	case tagInt, tagFloat:
		if v := jsonx.Number(n.Value); !v.IsZero() {
			return v
		}
		d.fail(path, n, fault{"must be a number as JSON writes it", "no leading zero, plus sign, underscore or hexadecimal; text that looks like a number needs quotes"})
		return jsonx.Value{}
	}
	return jsonx.String(n.Value)
}

// rawNode writes JSON as YAML.
func rawNode(v jsonx.Value) *yaml.Node {
	switch v.Kind() {
	case jsonx.KindObject:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, m := range v.Members() {
			n.Content = append(n.Content, textNode(m.Name), rawNode(m.Value))
		}
		return flowIfEmpty(n)
	case jsonx.KindArray:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range v.Elems() {
			x := rawNode(e)
			if x.Kind != yaml.ScalarNode {
				n.Style = 0
			}
			n.Content = append(n.Content, x)
		}
		return flowIfEmpty(n)
	case jsonx.KindString:
		return textNode(v.Str())
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(jsonx.Append(nil, v))}
	}
}

func flowIfEmpty(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}
