CREATE EXTERNAL TABLE tweets (
  `tweet_id` bigint,
  `created_at` timestamp,
  `text` string,
  `edits_left` tinyint,
  `author` struct<`username`:string,`verified`:boolean>,
  `hashtags` array<struct<`tag`:string,`start`:int,`end`:int>>,
  `lon` double,
  `raw` binary
)
PARTITIONED BY (`date` string, `hour` int)
STORED AS PARQUET
LOCATION 's3://my-bucket/tweets-parquet/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2006-03-21,NOW',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://my-bucket/tweets-parquet/date=${date}/hour=${hour}/'
);
