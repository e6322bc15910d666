
local protocol = Proto(PREFIX, "Corosync: Totem, totempg, knet")
local wrong = ProtoExpert.new(PREFIX .. ".fault", "Not as it should be", expert.group.MALFORMED, expert.severity.WARN)
protocol.experts = { wrong }
local kind_field = ProtoField.string(PREFIX .. ".kind", "kind")
local all_fields = { kind_field }

local function declare(layout_name, one, name)
    local abbreviation = PREFIX .. "." .. layout_name .. "." .. name
    local made
    if one.kind == "string" or one.kind == "bytes" then
        made = ProtoField[one.kind](abbreviation, name)
    else
        local names = next(one.names) and one.names or nil
        made = ProtoField[one.kind](abbreviation, name, one.hex and base.HEX or base.DEC, names)
    end
    table.insert(all_fields, made)
    return made
end

for layout_name, layout in pairs(LAYOUTS) do
    for _, part in ipairs(layout.parts) do
        for _, one in ipairs(part.fields or {}) do
            if one.name ~= "" then
                local name = one.name
                if part.what == "list" then
                    name = part.single and part.name or part.name .. "." .. one.name
                end
                one.declared = declare(layout_name, one, name)
            end
        end
        if part.what == "chunks" and part.layout == "" then
            part.declared = declare(layout_name, { kind = "string" }, part.name)
        end
    end
    layout.data = declare(layout_name, { kind = "bytes" }, "data")
end
protocol.fields = all_fields

-- Fields that are asked for later, as numbers or text; others are shown and forgotten.
local function value_of(one, range, little)
    if one.kind == "string" then
        return (range:raw():gsub("%z+$", ""))
    elseif one.kind == "bytes" or one.kind == "int64" then
        return nil
    elseif one.kind == "uint64" then
        return little and range:le_uint64() or range:uint64()
    elseif one.kind:sub(1, 1) == "i" then
        return little and range:le_int() or range:int()
    end
    return little and range:le_uint() or range:uint()
end

-- All fields are there: their length was looked at before.
local function show_fields(fields, buffer, at, little, tree, values, bitmap_len)
    for _, one in ipairs(fields) do
        local len = one.bitmap and bitmap_len or one.len
        if one.declared and len > 0 then
            local range = buffer(at, len)
            values[one.name] = value_of(one, range, little)
            if one.kind == "string" or one.kind == "bytes" or not little then
                tree:add(one.declared, range)
            else
                tree:add_le(one.declared, range)
            end
        end
        at = at + len
    end
    return at
end

local function fault(state, tree, layout_name, text)
    tree:add_proto_expert_info(wrong, layout_name .. ": " .. text)
    state.faults = state.faults + 1
end

local function show_list(part, buffer, at, stop, little, tree, values)
    local count = values[part.count]
    local bitmap_len = 0
    if part.bits_of ~= "" then
        bitmap_len = math.floor((values[part.bits_of] + 7) / 8)
    end
    local len = part.len + part.bitmaps * bitmap_len
    if count < 0 or at + count * len > stop then
        return nil
    end
    local entries = {}
    for number = 1, count do
        local entry, branch = {}, tree
        if not part.single then
            branch = tree:add(protocol, buffer(at, len), part.name .. " " .. number)
        end
        at = show_fields(part.fields, buffer, at, little, branch, entry, bitmap_len)
        for _, one in ipairs(part.fields) do
            if part.single and one.declared then
                entry = entry[one.name]
            end
        end
        entries[number] = entry
    end
    values[part.name] = entries
    return at
end

local show_layout

local function show_chunks(state, name, part, buffer, at, stop, depth, little, tree, values)
    local texts = {}
    for number, len in ipairs(values[part.lengths]) do
        if at + len > stop then
            return nil
        end
        if number > CHUNKS_MAX then
            if number == CHUNKS_MAX + 1 then
                fault(state, tree, name, TOO_MANY)
            end
        elseif part.layout == "" then
            if len > 0 then
                tree:add(part.declared, buffer(at, len))
            end
            texts[number] = len > 0 and buffer(at, len):raw() or ""
        elseif number > 1 or part.headless == "" or values[part.headless] == 0 then
            local last = number == #values[part.lengths]
            state.endless = last and part.endless ~= "" and values[part.endless] ~= 0
            show_layout(state, part.layout, buffer, at, at + len, depth, {}, little)
            state.endless = false
        end
        at = at + len
    end
    values[part.name] = texts
    return at
end

local function chosen(choice, scope)
    while type(choice) == "table" do
        local value = scope[choice.field]
        if type(value) == "table" then
            value = value[1]
        end
        choice = value ~= nil and choice.cases[value] or choice.otherwise
    end
    return choice
end

local function is_little(order, outer, buffer, at, stop)
    if order == "magic" then
        return not (at < stop and buffer(at, 1):uint() == 0xC0)
    elseif order == "outer" then
        return outer
    end
    return order == "little"
end

local function summarize(state, layout_name, layout, values)
    if KINDS[layout_name] and not state.found_mcast then
        state.kind = layout_name
        state.found_mcast = layout_name == "mcast"
    end
    for _, name in ipairs(layout.summary) do
        if name == "ring_id" and values["ring_id.seq"] then
            table.insert(state.words, "ring " .. values["ring_id.rep"] .. "." .. values["ring_id.seq"]:tohex():gsub("^0+", ""))
        elseif values[name] ~= nil and type(values[name]) ~= "table" then
            table.insert(state.words, name .. " " .. tostring(values[name]))
        end
    end
end

show_layout = function(state, name, buffer, at, stop, depth, outer, outer_little)
    local layout = LAYOUTS[name]
    -- There is nothing to mark in no bytes.
    local tree = state.tree:add(protocol, at < stop and buffer(at, stop - at) or buffer(0, 1), layout.title)
    if name == TOTEM then
        depth = depth + 1
    end
    if depth > DEPTH_MAX then
        fault(state, tree, name, TOO_DEEP)
        return
    end
    local little = is_little(layout.order, outer_little, buffer, at, stop)
    local values = setmetatable({}, { __index = outer })
    for _, part in ipairs(layout.parts) do
        local reached
        if part.what == "fixed" then
            if at + part.len <= stop then
                reached = show_fields(part.fields, buffer, at, little, tree, values, 0)
            end
        elseif part.what == "list" then
            reached = show_list(part, buffer, at, stop, little, tree, values)
        else
            reached = show_chunks(state, name, part, buffer, at, stop, depth, little, tree, values)
        end
        if reached == nil then
            summarize(state, name, layout, values)
            if not state.endless then
                fault(state, tree, name, CUT_SHORT)
            end
            return
        end
        at = reached
    end
    summarize(state, name, layout, values)
    if at == stop then
        return
    end
    local following = chosen(layout.next, values)
    if following == "" then
        fault(state, tree, name, TRAILING)
    elseif following == "data" then
        tree:add(layout.data, buffer(at, stop - at))
    else
        show_layout(state, following, buffer, at, stop, depth, values, little)
    end
end

local function begins_with(buffer)
    for _, signature in ipairs(SIGNATURES) do
        local fits = true
        for _, place in ipairs(signature.bytes) do
            local allowed = false
            if place.at < buffer:len() then
                for _, byte in ipairs(place.allowed) do
                    allowed = allowed or buffer(place.at, 1):uint() == byte
                end
            end
            fits = fits and allowed
        end
        if fits then
            return signature.layout
        end
    end
    return SEALED
end

function protocol.dissector(buffer, pinfo, root)
    if buffer:len() == 0 then
        return 0
    end
    local tree = root:add(protocol, buffer(), "Corosync")
    local state = { tree = tree, words = {}, faults = 0, kind = SEALED }
    show_layout(state, begins_with(buffer), buffer, 0, buffer:len(), 0, {}, false)
    tree:add(kind_field, buffer(0, 1), state.kind)
    pinfo.cols.protocol = "COROSYNC"
    pinfo.cols.info = state.kind .. " " .. table.concat(state.words, " ")
    return buffer:len()
end

local function maybe(buffer, pinfo, root)
    if buffer:len() == 0 or begins_with(buffer) == SEALED then
        return false
    end
    protocol.dissector(buffer, pinfo, root)
    return true
end

local udp = DissectorTable.get("udp.port")
for _, port in ipairs(PORTS) do
    udp:add(port, protocol)
end
protocol:register_heuristic("udp", maybe)
