// SPDX-License-Identifier: Apache-2.0
// The graph peer: npm `kuzu` in memory, in this process, prepared statements. Reads the city from CSV files and questions
// as JSON lines from stdin; answers each with its median milliseconds and, for every variant it came to, rows and sum
// (question.h).
//   node query_kuzu.cjs MODULE FOLDER THREADS
'use strict'
const path = require('path')
const [, , moduleFolder, folder, threads] = process.argv
const kuzu = require(path.resolve(moduleFolder))
const BUDGET_MS = 5000 // of one question

function hash(text) {
  let h = 2166136261
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 16777619) >>> 0
  return h % 1000003
}

function digest(rows) {
  let sum = 0
  for (const row of rows) {
    for (const v of Object.values(row)) sum += typeof v === 'string' ? hash(v) : Number(v)
  }
  return { rows: rows.length, sum }
}

async function load(c) {
  await c.query('CREATE NODE TABLE Twin(id STRING PRIMARY KEY, model STRING, status STRING, district STRING, load DOUBLE, age INT64)')
  await c.query(`COPY Twin FROM '${path.join(folder, 'twins.csv')}' (header=false)`)
  for (const rel of ['contains', 'has', 'adjacent', 'reportsTo', 'faces', 'road', 'feeds']) {
    await c.query(`CREATE REL TABLE ${rel}(FROM Twin TO Twin)`)
    await c.query(`COPY ${rel} FROM '${path.join(folder, rel + '.csv')}' (header=false)`)
  }
  await c.query('CALL var_length_extend_max_depth=1000')
}

const median = (v) => v.sort((a, b) => a - b)[v.length >> 1]

// Rounds over all variants, as many of them as fit into the budget; the first answer of each is kept.
async function ask(c, q) {
  const statement = await c.prepare(q.text)
  const times = []
  const answers = []
  const begun = Date.now()
  await (await c.execute(statement, q.params[0])).getAll() // warms up
  for (let n = 0; n < q.rounds * q.params.length && (n === 0 || Date.now() - begun < BUDGET_MS); n++) {
    const start = process.hrtime.bigint()
    const result = await c.execute(statement, q.params[n % q.params.length])
    const rows = await result.getAll()
    times.push(Number(process.hrtime.bigint() - start) / 1e6)
    result.close()
    if (n < q.params.length) answers.push(digest(rows))
  }
  return { name: q.name, ms: median(times), answers }
}

async function main() {
  let text = ''
  for await (const piece of process.stdin) text += piece
  const c = new kuzu.Connection(new kuzu.Database(':memory:', 4 * 2 ** 30), Number(threads))
  await load(c)
  for (const line of text.split('\n').filter(Boolean)) {
    const q = JSON.parse(line)
    const answer = await ask(c, q).catch((err) => ({ name: q.name, error: String(err) }))
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

main().catch((err) => { console.error(String(err)); process.exit(1) })
